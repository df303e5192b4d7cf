#include <iostream>
#include <string>
#include <vector>

#include "merlin.h"

int main(int argc, char **argv)
{
	const std::vector<std::string> files(argv + 1, argv + argc);
	int code = 0;

	for (const auto &file : files) {
		std::uint64_t sum = 0;

		if (merlin_sum_file(file.c_str(), &sum) != 0) {
			std::cerr << file << ": cannot be read\n";
			code = 2;
			continue;
		}
		if (const char *name = merlin_name(sum)) {
			std::cout << file << ": " << name << "\n";
			code = code ? code : 1;
		}
	}
	return code;
}
