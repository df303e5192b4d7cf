#include "merlin.h"

#ifndef __x86_64__
uint64_t merlin_sum(const void *data, size_t n, uint64_t h)
{
	const unsigned char *p = data;

	while (n--)
		h = (h ^ *p++) * UINT64_C(0x100000001b3);
	return h;
}
#endif

#include <stdio.h>

int merlin_sum_file(const char *path, uint64_t *sum)
{
	static unsigned char buf[1 << 16];
	FILE *f = fopen(path, "rb");
	size_t n;
	int bad;

	if (!f)
		return -1;
	*sum = MERLIN_START;
	while ((n = fread(buf, 1, sizeof buf, f)) > 0)
		*sum = merlin_sum(buf, n, *sum);
	bad = ferror(f);
	fclose(f);
	return bad ? -1 : 0;
}
