#!lua name=setter

--[[
The queue: every transition of a job and of its lane, one function each.  The
parts in this folder make one library, in the order that the Makefile gives.

A job is a header line and an envelope, which nothing here looks into.  A lane
is a list of jobs handed out one turn at a time, in order.  A turn is the
longest prefix of one kind, so that a burst of messages gets one answer.

Keys, all of one partition (prefix "setter:{tag}:"); times in ms:

  inbox          stream  h = header, j = envelope; appended by anybody, sorted
                         into lanes by setter_claim.  An empty header is only a
                         doorbell.  Stays when empty, for its last id.
  lane:<lane>    list    "<header>\n<envelope>", oldest first; the jobs of a
                         turn stay until the turn is completed
  tenants        zset    tenants with lanes in ready:<slug>, not held, under
                         their cap (or over it, but not found out yet); score =
                         start tag on the fair clock
  bulk           zset    likewise, with lanes in bulk:<slug>
  capped         set     tenants with such lanes that are out of line, since
                         too many turns are in flight
  ready:<slug>   list    the tenant's lanes that may run, oldest first, but
  bulk:<slug>    list    - those of campaign, ingest and sync, which come
                         behind the others,
  outside:<slug> list    - where the tenant's messages go to outside workers,
                         those whose next turn is of messages, and
  suspects       list    - those that crashed workers twice
  outside        stream  t = tenant; the doorbell of who polls for outside
                         workers: a lane of outside:<slug> may be taken.  Only
                         the last entries are kept
  moving         list    names of lists moving:<name>: lanes that may run of
                         tenants that were switched to or from outside workers,
                         on their way into the lists above
  held           zset    lanes that somebody holds; score 1 when jobs wait in it
                         for the release, 0 while it is idle, or has yet to come
                         out of due, leased or the lists above
  due            zset    lanes that wait; score = until when
  later          zset    ids of jobs that join their lane at the score
  delayed        hash    id -> "<header>\n<envelope>", of the jobs in later
  leased         zset    lanes in a worker's hands; score = the lease's end
  claim:<lane>   hash    what is known of the lane, see below
  tenant:<slug>  hash    flight (turns in hands) and finish, bulk_finish (end
                         tags of the last ones), while there are any; today (a
                         day's number) and used (its messages), with a quota;
                         settings that are not the default, see setter_tenant:
                         weight, cap, day, minute, outside, held
  ruled          set     tenants whose settings count when sorting: day, outside
  backlog        zset    jobs in lanes and in nobody's hands, by tenant
  jobs           hash    id -> lane, of jobs in a worker's hands
  seen:<id>      string  the tenant; sorted within the last hour
  rejects        stream  the last entries whose header could not be read
  workers        zset    heartbeats; worker:<name> hash: slots, version
  pace:<name>    string  when the next message of an account, or of it to a
                         person, would be due if they came evenly; us
  state          hash    token (the last given); clock and arrival, bulk_clock
                         and bulk_arrival (the fair clocks); replies (turns
                         since one of a bulk kind); waiting, ready and outside
                         (jobs and lanes, of all tenants); rejected; run and
                         grace (see recognise)

States of a lane, and the fields of claim:<lane> in each:

  idle     no list, no hash
  due      in due.     cause=debounce until (the latest end of its window), or
                       cause=retry ids failures crashes reason
  ready    in one of the lists.  No hash, or ids failures crashes reason when a
           worker had the lane before
  leased   in leased.  token worker ids failures crashes reason, outside=1 for
                       a turn of an outside worker
  held     in held, score 1.  As when ready

  idle   --append-->            due (a window opens) or ready
  due    --claim: time-->       ready
  ready  --claim: slot-->       leased
  leased --complete-->          idle, or due or ready when jobs came meanwhile
  leased --fail-->              due
  leased --claim: lease end-->  ready, in front
  held   --release-->           ready

A lane that somebody holds becomes held where it would become ready, and a
ready one when its turn comes.

The jobs "ids" are handed over; a turn that failed is handed over again exactly
as it was.  quiet and limit, beside them, are the debounce window of messages
that came behind: complete waits for its end.  Where an outside worker had
them, jobs of kind "record", "<id>-r", take their places once he is done: a
worker of ours puts them on record before the lane goes on.  Who extends,
completes or fails shows the token of the claim; a lease that was taken back
has lost its token.
--]]

local VERSION = '1.2'           -- major.minor; the same major work together

-- What one claim does at most: inbox entries sorted, leases ended (or later
-- jobs, due or moving lanes moved on, lanes that may not run put aside), turns
-- handed out, jobs in a turn
local SORT, TAKE, TURNS, JOBS = 100, 100, 100, 1000

local SEEN_MS, GRACE_MS, BEAT_MS, WORKER_MS = '3600000', 2000, 1000, 60000
local DAY_MS = 86400000
local CAP = 200                 -- turns in flight a tenant
local COST = 1000               -- of a turn at weight 1, on the fair clock
local REPLIES = 9               -- turns before one of a bulk kind
local SUSPECT = 2               -- crashes
local RECORD = '-r'             -- behind the id of a job that records one
local REJECTS, RINGS = 100, 1000        -- entries kept
local LISTED = 100                      -- tenants that depth names
local LEASES, CHUNK = 10000, 50         -- looked at; jobs read at a time
local NEVER = 9e15

-- The two lines that tenants stand in: names of keys, and of what is kept for
-- each in the state and of a tenant
local REPLY = { line = 'tenants', list = 'ready:', clock = 'clock',
                arrival = 'arrival', finish = 'finish', limit = 'limit' }
local BULK = { line = 'bulk', list = 'bulk:', clock = 'bulk_clock',
               arrival = 'bulk_arrival', finish = 'bulk_finish',
               limit = 'bulk_limit' }
local BULK_KINDS = { campaign = true, ingest = true, sync = true }
