#pragma once
/* Why: how much memory may this process still take? Physical memory is the wrong answer when
 * other programs hold half of it, or when a container or a service manager allows less: Linux
 * grants memory that it does not have and kills somebody later. So the kernel's own estimate
 * (MemAvailable: free, and what caches give back) and every limit above this process in its
 * control groups (version 2, and version 1's memory controller) are looked at, and the least of
 * them counts. Swap does not: training from swap is no training.
 */

#include <stdint.h>

/* Bytes; 0 when nothing is known. Any thread; reads a few small files, so not in a loop. */
uint64_t memfree_bytes(void);

/* The same with /proc and /sys below root, for tests. */
uint64_t memfree_bytes_below(const char *root);
