/* SPDX-License-Identifier: GPL-2.0 */
#ifndef ORCH_HOST_H
#define ORCH_HOST_H

/* Environment variables in which orch_host counts its loads and unloads in this process. */
#define HOST_LOADS	"PT_HOST_LOADS"
#define HOST_UNLOADS	"PT_HOST_UNLOADS"

/* What orch_host is to do: scalar 0. */
enum {
	HOST_GRAPH,		/* f = 2a + b */
	HOST_INITIAL,		/* f = a + 42 */
	HOST_ELEMENTS,		/* last tensor[0] = first tensor[0] + scalar 1 */
	HOST_GATE,		/* set the first word at scalar 1, wait for the second */
	HOST_MANY,		/* scalar 1 dummies with outputs of scalar 2 bytes */
	HOST_FAN_IN,		/* f = a + b, after scalar 1 dummies */
	HOST_PRODUCED,		/* get an element that a task writes */
	HOST_USED,		/* set an element that a task reads */
	HOST_ALLOCATED,		/* set an element of what the runtime has allocated */
	HOST_UNSEEN,		/* get an element where nothing is */
	HOST_UNSEEN_SET,	/* set an element where nothing is */
	HOST_UNSEEN_TASK,	/* a task whose second input is there */
	HOST_OPEN_SCOPE,	/* leave a scope open */
	HOST_FATAL,		/* report a fatal error */
	HOST_FUNC,		/* a task of func_id scalar 1 */
	HOST_ALONE,		/* fail if another thread is in the same orchestration */
	HOST_LOG,		/* log "level 0" to "level 4" */
	HOST_SCOPED,		/* scalar 1 dummies, without outputs, in one scope */
	HOST_UNSEEN_PREDICATE,	/* a task that does not run if an element is 1, there */
	HOST_OWNED,		/* get an element where nothing is, of a task's tensor */
	HOST_OWNED_SET,		/* set it */
	HOST_OWNED_TASK,	/* a task whose second input is there */
	HOST_OWNED_PREDICATE,	/* a task that does not run if the element there is 1 */
	HOST_OWNED_LARGE,	/* a task whose second input ends where nothing is */
	HOST_WORD,		/* a task of func_id 1 with tensor 2 and scalars 1 and 2 */
	HOST_AT,		/* get an element at address scalar 1 */
	HOST_AT_TASK,		/* a task whose second input is there */
	HOST_AT_PREDICATE,	/* a task that does not run if the element there is 1 */
};

/* What kernel_word does with a word, and of which memory that is: scalars 1 and 2. */
enum { WORD_EXPECT, WORD_WAIT, WORD_NOTIFY };
#define WORD_STATIC	0	/* the kernel's own static data */
#define WORD_TENSOR	1	/* element 1 of the tensor */
#define WORD_ORCH	2	/* static data of the orchestration */
/* else its address */

#define HOST_NOBODYS	0x1000	/* an address where nothing is */

#endif /* ORCH_HOST_H */
