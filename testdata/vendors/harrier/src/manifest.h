#ifndef MANIFEST_H
#define MANIFEST_H

#include <stdint.h>

#define HARRIER_VERSION "1.4.0"
#define NAME_LIMIT 1024

struct entry {
	char name[NAME_LIMIT];
	uint64_t size, sum;
	int seen;
};

struct list {
	struct entry *entries;
	size_t n, room;
};

/* list_dir adds every plain file of a folder, without those below it, sorted by name. 0 is success. */
int list_dir(struct list *l, const char *dir);

/* list_add makes room for one entry more. */
struct entry *list_add(struct list *l);

/* list_find returns the entry of a name, or NULL. */
struct entry *list_find(struct list *l, const char *name);

#endif
