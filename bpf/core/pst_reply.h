/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Backend to client: what comes to one of our NAT ports. The source becomes the listener's address again. What belongs to no flow is
 * the kernel's: its answer (RST, unreachable) ends the backend's half. */
#ifndef PST_REPLY_H
#define PST_REPLY_H

#include "bpf/core/pst_exit.h"
#include "bpf/core/pst_trial.h"

pst_inline int pst_reply_flow(struct pst_env *env, struct pst_packet *p, struct pst_out *out, struct pst_return *r, __u64 hash,
			      __u64 tag_age)
{
	__u32 life = (__u32)tag_age & 0xffff;
	__u32 fresh;
	int verdict = pst_leave_to_client(env, p, r, hash, out);

	if (verdict != PST_GO_ON)
		return verdict;
	fresh = pst_life(pst_next_state(pst_life_state(life), p->tcp_flags, PST_FLOW_TCP_FIN_OUT, PST_FLOW_TCP_FIN_IN), pst_tick(env));
	if (pst_unlikely(fresh != life)) {
		pst_return_relive(r, tag_age, fresh);
		pst_run_touch_flow(env, hash, (__u32)p->tuple.proto | (__u32)p->tuple.v6 << 8 | fresh << 16);
	}
	return PST_REPLY;
}

pst_inline int pst_reply_trial(struct pst_env *env, struct pst_packet *p, struct pst_out *out, struct pst_trial *t, __u64 hash)
{
	int verdict = pst_leave_to_client(env, p, &t->back, hash, out);

	if (verdict != PST_GO_ON)
		return verdict;
	/* The last SYN-ACK counts: the first may be one to an earlier flow that lost the port, which the backend has not forgotten yet. */
	if (PST_READ(t->state) != PST_TRIAL_CROWDED &&
	    (!p->is_tcp || (p->tcp_flags & (PST_TCP_SYN | PST_TCP_ACK)) == (PST_TCP_SYN | PST_TCP_ACK))) {
		if (p->is_tcp)
			PST_WRITE(t->backend_isn, PST_BE32(pst_tcp_of(p)->seq));
		pst_compiler_barrier();
		PST_WRITE(t->state, PST_TRIAL_REPLIED);
	}
	return PST_REPLY_TRIAL;
}

pst_inline int pst_reply(struct pst_env *env, struct pst_packet *p, struct pst_out *out)
{
	__u64 hash = pst_tuple_hash(env->config->flow_key, &p->tuple, PST_HASH_RETURN);
	__u64 tag_age = 0;
	struct pst_return *r = pst_return_find(env, hash, &tag_age);
	struct pst_trial *t;

	if (pst_likely(r))
		return pst_reply_flow(env, p, out, r, hash, tag_age);
	t = pst_trial_of_return(env, hash);
	return t ? pst_reply_trial(env, p, out, t, hash) : PST_PASS_NO_RETURN;
}

#endif
