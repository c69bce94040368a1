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
};

#endif /* ORCH_HOST_H */
