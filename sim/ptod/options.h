/* SPDX-License-Identifier: MIT */
/*
 * Command line of ptod.
 */
#ifndef PTO_PTOD_OPTIONS_H
#define PTO_PTOD_OPTIONS_H

#include <stdbool.h>

#include "device.h"

/**
 * struct options - the options of the command line
 * @device: configuration of the device
 * @control: the driver's control node
 * @print: print the name of the device's node to standard output
 * @ready_fd: descriptor to write the name to, or -1
 */
struct options {
	struct ptodev_config device;
	const char *control;
	bool print;
	int ready_fd;
};

/**
 * options_parse() - read the command line
 * @argc: of main()
 * @argv: of main()
 * @options: out
 *
 * Return: -1 to continue, else the exit status.
 */
int options_parse(int argc, char **argv, struct options *options);

#endif /* PTO_PTOD_OPTIONS_H */
