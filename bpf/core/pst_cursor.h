/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The only place where a packet's bounds are checked. Everything else asks pst_take() and gets bytes that exist, or nothing. */
#ifndef PST_CURSOR_H
#define PST_CURSOR_H

#include "bpf/core/pst_base.h"

struct pst_cursor {
	__u8 *pos;
	__u8 *end;
};

/* The next `size` bytes, or 0. `size` is a constant: the verifier bounds the result by it. */
pst_inline __u8 *pst_take(struct pst_cursor *c, __u32 size)
{
	__u8 *at = c->pos;

	if (at + size > c->end)
		return 0;
	c->pos = at + size;
	return at;
}

#endif
