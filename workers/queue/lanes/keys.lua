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
  tenants        zset    tenants with ready lanes, under their cap; score =
                         start tag on the fair clock
  capped         set     tenants with ready lanes, and too many turns in flight
  ready:<slug>   list    the tenant's lanes that may run, oldest first
  suspects       list    lanes that may run and crashed workers twice
  due            zset    lanes that wait; score = until when
  later          zset    jobs that join their lane at the score
  leased         zset    lanes in a worker's hands; score = the lease's end
  claim:<lane>   hash    what is known of the lane, see below
  tenant:<slug>  hash    flight (turns in hands) and finish (end tag of the
                         last one), while there are any; settings: weight, cap
  backlog        zset    jobs in lanes and in nobody's hands, by tenant
  jobs           hash    id -> lane, of jobs in a worker's hands
  seen:<id>      string  sorted within the last hour
  rejects        stream  the last entries whose header could not be read
  workers        zset    heartbeats; worker:<name> hash: slots, version
  state          hash    token (the last given), clock and arrival (the fair
                         clock), waiting and ready (sums over the tenants),
                         rejected, run and grace (see recognise)

States of a lane, and the fields of claim:<lane> in each:

  idle     no list, no hash
  due      in due.     cause=debounce until (the latest end of its window), or
                       cause=retry ids failures crashes reason
  ready    in ready:<slug> or suspects.  No hash, or ids failures crashes
           reason when a worker had the lane before
  leased   in leased.  token worker ids failures crashes reason

  idle   --append-->            due (a window opens) or ready
  due    --claim: time-->       ready
  ready  --claim: slot-->       leased
  leased --complete-->          idle, or due or ready when jobs came meanwhile
  leased --fail-->              due
  leased --claim: lease end-->  ready, in front

The jobs "ids" are handed over; a turn that failed is handed over again exactly
as it was.  quiet and limit, beside them, are the debounce window of messages
that came behind: complete waits for its end.  Who extends, completes or fails
shows the token of the claim; a lease that was taken back has lost its token.
--]]

local VERSION = '1.0'           -- major.minor; the same major work together

-- What one claim does at most: inbox entries sorted, leases ended (or later
-- jobs, or due lanes moved on), turns handed out, jobs in a turn
local SORT, TAKE, TURNS, JOBS = 100, 100, 100, 1000

local SEEN_MS, GRACE_MS, BEAT_MS, WORKER_MS = '3600000', 2000, 1000, 60000
local CAP = 200                 -- turns in flight a tenant
local COST = 1000               -- of a turn at weight 1, on the fair clock
local SUSPECT = 2               -- crashes
local REJECTS, LISTED = 100, 100        -- entries kept; tenants depth names
local NEVER = 9e15
