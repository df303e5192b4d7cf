#include <inttypes.h>
#include <stdio.h>

#include "manifest.h"

int main(int argc, char **argv)
{
	struct list now = { 0 };
	size_t i;

	if (argc != 2) {
		fprintf(stderr, "harrier-manifest %s: usage: harrier-manifest DIR\n", HARRIER_VERSION);
		return 2;
	}
	if (list_dir(&now, argv[1]) != 0) {
		perror(argv[1]);
		return 2;
	}
	for (i = 0; i < now.n; i++)
		printf("%" PRIu64 " %016" PRIx64 " %s\n", now.entries[i].size, now.entries[i].sum, now.entries[i].name);
	return 0;
}
