// SPDX-License-Identifier: GPL-2.0
/*
 * Statics of all sorts that C++ has, and a function and a variable whose names the program
 * has, too. The first element of tensor 0 becomes how often the statics have been counted up,
 * plus 1000 if they disagree, plus 2000 if something of the program's was met.
 */
#include <stdexcept>

#include <pto/orch.h>

extern "C" {
int scale(void);
extern int scale_data;
void aicpu_orchestration_entry(struct pto_rt *rt, const struct pto_orch_args *args);
}

int scale_data = 3;

int scale(void)
{
	return 3;
}

namespace {
/* Called and read as what others may define. */
int (*volatile scale_address)(void) = scale;
int *volatile scale_data_address = &scale_data;
} // namespace

template <typename T> struct of_template {
	static T count;
};

template <typename T> T of_template<T>::count;

inline int variable;

struct guarded {
	int count;
	guarded();
};

guarded::guarded() : count(*scale_data_address - 3)
{
}

inline guarded &of_function()
{
	static guarded object;

	return object;
}

static bool own_exceptions()
{
	try {
		throw std::runtime_error("mine");
	} catch (const std::exception &e) {
		return e.what()[0] == 'm';
	}
}

void aicpu_orchestration_entry(struct pto_rt *rt, const struct pto_orch_args *args)
{
	const struct pto_tensor *t = pto_orch_tensor(args, 0);
	const uint32_t index[1] = { 0 };
	int count = ++of_function().count;
	float result = (float)count;

	if (++of_template<int>::count != count || ++variable != count)
		result += 1000;
	if (scale() != 3 || scale_address() != 3 || scale_data != 3 || !own_exceptions())
		result += 2000;
	pto_set_element(rt, t, 1, index, &result, sizeof(result));
}
