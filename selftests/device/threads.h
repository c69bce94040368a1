/* SPDX-License-Identifier: GPL-2.0 */
/*
 * thread_local objects of callables, whose destructors count in words of the test's: all that is
 * in one process.
 */
#ifndef THREADS_H
#define THREADS_H

enum {
	THREADS_MADE,		/* thread_local objects that threads have made */
	THREADS_GONE,		/* those that have been destroyed */
	THREADS_TORN,		/* statics that have been destroyed */
	THREADS_LATE,		/* thread_local objects that were destroyed after the statics */
	THREADS_WORDS,
};

#ifdef __cplusplus
namespace {
void count(int *words, int which)
{
	__atomic_add_fetch(&words[which], 1, __ATOMIC_SEQ_CST);
}

struct of_object {
	int *words = nullptr;
	bool torn = false;

	~of_object()
	{
		torn = true;
		if (words)
			count(words, THREADS_TORN);
	}
};

of_object object;

struct of_thread {
	int *words;

	explicit of_thread(int *to) : words(to)
	{
		count(words, THREADS_MADE);
		__atomic_store_n(&object.words, to, __ATOMIC_RELAXED);
	}
	~of_thread()
	{
		count(words, THREADS_GONE);
		if (object.torn)
			count(words, THREADS_LATE);
	}
};

void use_thread_local(int *words)
{
	thread_local of_thread first(words);
	thread_local of_thread second(words);

	asm volatile("" : : "r"(&first), "r"(&second) : "memory");
}

} // namespace
#endif

#endif /* THREADS_H */
