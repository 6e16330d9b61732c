/*
 * Whether the compiler builds for AddressSanitizer, which wants to be told
 * of stacks and memory that this code deals out by itself.
 */

#ifndef SANITIZE_H
#define SANITIZE_H


#if defined(__SANITIZE_ADDRESS__)
#define SANITIZE_ADDRESS  1

#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define SANITIZE_ADDRESS  1
#endif
#endif

#ifndef SANITIZE_ADDRESS
#define SANITIZE_ADDRESS  0
#endif


#endif /* SANITIZE_H */
