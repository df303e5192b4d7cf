#include <inttypes.h>
#include <stdio.h>

#include "manifest.h"

int main(int argc, char **argv)
{
	struct list now = { 0 };
	struct entry was = { 0 };
	int changed = 0;
	size_t i;

	if (argc != 2) {
		fprintf(stderr, "harrier %s: usage: harrier DIR <MANIFEST\n", HARRIER_VERSION);
		return 2;
	}
	if (list_dir(&now, argv[1]) != 0) {
		perror(argv[1]);
		return 2;
	}
	while (scanf("%" SCNu64 " %" SCNx64 " %1023[^\n]", &was.size, &was.sum, was.name) == 3) {
		struct entry *e = list_find(&now, was.name);

		if (!e) {
			printf("gone   %s\n", was.name);
			changed = 1;
			continue;
		}
		e->seen = 1;
		if (e->size != was.size || e->sum != was.sum) {
			printf("other  %s\n", was.name);
			changed = 1;
		}
	}
	for (i = 0; i < now.n; i++) {
		if (!now.entries[i].seen) {
			printf("new    %s\n", now.entries[i].name);
			changed = 1;
		}
	}
	return changed;
}
