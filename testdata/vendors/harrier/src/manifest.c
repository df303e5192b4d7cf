#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "manifest.h"

struct entry *list_add(struct list *l)
{
	if (l->n == l->room) {
		l->room = l->room ? 2 * l->room : 64;
		l->entries = realloc(l->entries, l->room * sizeof *l->entries);
		if (!l->entries)
			abort();
	}
	memset(&l->entries[l->n], 0, sizeof *l->entries);
	return &l->entries[l->n++];
}

struct entry *list_find(struct list *l, const char *name)
{
	size_t i;

	for (i = 0; i < l->n; i++)
		if (strcmp(l->entries[i].name, name) == 0)
			return &l->entries[i];
	return NULL;
}

/* Fletcher's sum: two running sums, kept in 32 bits each. */
static int sum_file(const char *path, struct entry *e)
{
	FILE *f = fopen(path, "rb");
	uint32_t a = 1, b = 0;
	int c, bad;

	if (!f)
		return -1;
	while ((c = getc(f)) != EOF) {
		a += (unsigned char)c;
		b += a;
		e->size++;
	}
	bad = ferror(f);
	fclose(f);
	e->sum = (uint64_t)b << 32 | a;
	return bad ? -1 : 0;
}

static int by_name(const void *a, const void *b)
{
	return strcmp(((const struct entry *)a)->name, ((const struct entry *)b)->name);
}

int list_dir(struct list *l, const char *dir)
{
	DIR *d = opendir(dir);
	struct dirent *at;

	if (!d)
		return -1;
	while ((at = readdir(d))) {
		char path[2 * NAME_LIMIT];
		struct stat st;
		struct entry *e;

		snprintf(path, sizeof path, "%s/%s", dir, at->d_name);
		if (lstat(path, &st) != 0 || !S_ISREG(st.st_mode))
			continue;
		e = list_add(l);
		snprintf(e->name, sizeof e->name, "%s", at->d_name);
		if (sum_file(path, e) != 0) {
			closedir(d);
			return -1;
		}
	}
	closedir(d);
	qsort(l->entries, l->n, sizeof *l->entries, by_name);
	return 0;
}
