#ifndef MERLIN_H
#define MERLIN_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* What a sum begins with: FNV-1a, 64 bits. */
#define MERLIN_START UINT64_C(0xcbf29ce484222325)

/* merlin_sum goes on with the sum h over n bytes more. */
uint64_t merlin_sum(const void *data, size_t n, uint64_t h);

/* merlin_sum_file sums a file; 0 is success. */
int merlin_sum_file(const char *path, uint64_t *sum);

/* merlin_name returns the name of a known sum, or NULL. */
const char *merlin_name(uint64_t sum);

struct merlin_signature {
	uint64_t sum;
	const char *name;
};

/* The table that gensigs writes, sorted by sum. */
extern const struct merlin_signature merlin_signatures[];
extern const size_t merlin_signature_count;

#ifdef __cplusplus
}
#endif

#endif
