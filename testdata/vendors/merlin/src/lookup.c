#include "merlin.h"

const char *merlin_name(uint64_t sum)
{
	size_t low = 0, high = merlin_signature_count;

	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (merlin_signatures[mid].sum == sum)
			return merlin_signatures[mid].name;
		if (merlin_signatures[mid].sum < sum)
			low = mid + 1;
		else
			high = mid;
	}
	return NULL;
}
