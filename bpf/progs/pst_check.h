/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Transport checksums. XDP sees whole checksums and mends them in place. In tc a packet of this host (a pod's) may have a checksum that a
 * device finishes later: only the kernel's helper knows, and it voids pointers into the packet. */
#ifndef PST_CHECK_H
#define PST_CHECK_H

#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#include "bpf/core/pst_csum.h"
#include "bpf/core/pst_target.h"

/* env->hook is a constant in each program, so the other branch is not compiled into it (XDP may not call this helper). */
pst_inline void pst_fix_l4_check(struct pst_env *env, __u16 *check, __u32 offset, __u64 addresses, __u64 ports, __u8 udp)
{
	struct __sk_buff *skb = env->target;
	__u64 flags = udp ? BPF_F_MARK_MANGLED_0 : 0;

	if (env->hook == PST_HOOK_XDP) {
		*check = udp ? pst_csum_apply_udp(*check, addresses + ports) : pst_csum_apply(*check, addresses + ports);
		return;
	}
	bpf_l4_csum_replace(skb, offset, 0, pst_csum_fold32(addresses), flags | BPF_F_PSEUDO_HDR);
	bpf_l4_csum_replace(skb, offset, 0, pst_csum_fold32(ports), flags);
}

#endif
