/*
 * Work that would block the event loop, files above all, on a thread of
 * libuv's pool.
 */

#ifndef THREAD_H
#define THREAD_H


/*
 * Runs work(data) on another thread while the task waits, for as long as it
 * takes: a cancel has no effect on it.  work() may touch nothing that the
 * loop's own code does meanwhile, arenas included.
 */
void thread_run(void (*work)(void *data), void *data);


#endif /* THREAD_H */
