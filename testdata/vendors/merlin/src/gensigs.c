/* gensigs turns signatures.txt, on its standard input, into C. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct line {
	uint64_t sum;
	char name[64];
};

static int order(const void *a, const void *b)
{
	uint64_t x = ((const struct line *)a)->sum, y = ((const struct line *)b)->sum;

	return x < y ? -1 : x > y;
}

int main(void)
{
	static struct line lines[4096];
	char text[256];
	size_t n = 0, i;

	while (fgets(text, sizeof text, stdin)) {
		if (text[0] == '#' || text[0] == '\n')
			continue;
		if (n == sizeof lines / sizeof lines[0] || sscanf(text, "%" SCNx64 " %63s", &lines[n].sum, lines[n].name) != 2) {
			fprintf(stderr, "gensigs: cannot read %s", text);
			return 1;
		}
		n++;
	}
	qsort(lines, n, sizeof lines[0], order);
	puts("#include \"merlin.h\"\n\nconst struct merlin_signature merlin_signatures[] = {");
	for (i = 0; i < n; i++)
		printf("\t{ UINT64_C(0x%016" PRIx64 "), \"%s\" },\n", lines[i].sum, lines[i].name);
	printf("};\n\nconst size_t merlin_signature_count = %zu;\n", n);
	return 0;
}
