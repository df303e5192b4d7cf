#include <inttypes.h>
#include <stdio.h>

#include "merlin.h"

int main(int argc, char **argv)
{
	int i, code = 0;

	for (i = 1; i < argc; i++) {
		const char *name;
		uint64_t sum;

		if (merlin_sum_file(argv[i], &sum) != 0) {
			perror(argv[i]);
			code = 2;
			continue;
		}
		name = merlin_name(sum);
		printf("%016" PRIx64 "  %s%s%s\n", sum, argv[i], name ? "  " : "", name ? name : "");
	}
	return code;
}
