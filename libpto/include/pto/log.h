/* SPDX-License-Identifier: MIT */
/* Levels of log lines, for who writes them and for who reads them. */
#ifndef PTO_LOG_H
#define PTO_LOG_H

#define PTO_LOG_ERROR		0
#define PTO_LOG_WARN		1
#define PTO_LOG_INFO		2
#define PTO_LOG_DEBUG		3

#endif /* PTO_LOG_H */
