/* SPDX-License-Identifier: MIT */
/*
 * User-space version of the kernel header of this name, as far as kmod/core uses it. A bad pointer
 * causes EFAULT, not a crash.
 *
 * Memory in the caller's stack above the current frame, or in a mapping that sim_mapping_add() has
 * announced, is accessible and is accessed directly. For other memory the host's kernel does the
 * copy (process_vm_readv() and -writev() on this process), and reports bad pointers.
 */
#ifndef SIM_LINUX_UACCESS_H
#define SIM_LINUX_UACCESS_H

#include <string.h>
#include <linux/compiler.h>
#include <linux/errno.h>

/**
 * struct sim_stack - limits of the calling thread's stack; both 0 until they are known
 */
struct sim_stack {
	uintptr_t low;
	uintptr_t high;
};

extern __thread struct sim_stack sim_stack __attribute__((tls_model("initial-exec")));

size_t sim_copy_from_user_slow(void *to, const void *from, size_t bytes);
size_t sim_copy_to_user_slow(void *to, const void *from, size_t bytes);

/* All memory from this frame to the stack's upper end is mapped. */
static __always_inline bool sim_on_stack(const void *p, size_t bytes)
{
	uintptr_t frame = (uintptr_t)__builtin_frame_address(0);
	uintptr_t addr = (uintptr_t)p;

	return frame >= sim_stack.low && addr >= frame && addr < sim_stack.high &&
	       bytes <= sim_stack.high - addr;
}

/* Return: bytes that were not copied. */
static __always_inline unsigned long copy_from_user(void *to, const void __user *from,
						    unsigned long bytes)
{
	if (unlikely(!sim_on_stack(from, bytes)))
		return sim_copy_from_user_slow(to, from, bytes);
	memcpy(to, from, bytes);
	return 0;
}

static __always_inline unsigned long copy_to_user(void __user *to, const void *from,
						  unsigned long bytes)
{
	if (unlikely(!sim_on_stack(to, bytes)))
		return sim_copy_to_user_slow(to, from, bytes);
	memcpy(to, from, bytes);
	return 0;
}

/*
 * The driver uses these to copy between user memory and buffers. Both belong to the application:
 * if its threads copy to the same memory at the same time, that is not a race of the driver. So
 * these copies are hidden from ThreadSanitizer.
 */
size_t sim_copy_data(void *to, const void *from, size_t bytes, const void *user);
#define __copy_from_user_inatomic(to, from, bytes) sim_copy_data(to, from, bytes, from)
#define __copy_to_user_inatomic(to, from, bytes) sim_copy_data(to, from, bytes, to)
static inline void pagefault_disable(void)
{
}

static inline void pagefault_enable(void)
{
}

#define get_user(x, ptr) (copy_from_user(&(x), (ptr), sizeof(x)) ? -EFAULT : 0)
#define put_user(x, ptr) \
	({ \
		__typeof__(*(ptr)) put_user_value_ = (x); \
		copy_to_user((ptr), &put_user_value_, sizeof(put_user_value_)) ? -EFAULT : 0; \
	})

#define access_ok(p, bytes) ((void)(p), (void)(bytes), true)
#define u64_to_user_ptr(x) ((void __user *)(uintptr_t)(x))

/* Return: 1 if all bytes are zero, 0 if not, -EFAULT. */
int check_zeroed_user(const void __user *from, size_t bytes);

static inline int copy_struct_from_user(void *dst, size_t ksize, const void __user *src,
					size_t usize)
{
	size_t size = usize < ksize ? usize : ksize;

	if (unlikely(usize < ksize)) {
		memset((char *)dst + size, 0, ksize - size);
	} else if (unlikely(usize > ksize)) {
		int ret = check_zeroed_user((const char *)src + size, usize - ksize);

		if (ret <= 0)
			return ret ? ret : -E2BIG;
	}
	return copy_from_user(dst, src, size) ? -EFAULT : 0;
}

#endif /* SIM_LINUX_UACCESS_H */
