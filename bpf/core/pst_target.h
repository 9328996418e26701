/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What the core asks of the place where it runs. XDP, tc, the host's tests and later DPDK each define these functions before they
 * include pst_l4.h; the core itself knows no map and no helper, and has no #ifdef per target.
 *
 * A look-up returns 0 for an index outside the table, never an element of another. Elements may change under the reader. */
#ifndef PST_TARGET_H
#define PST_TARGET_H

#include "bpf/abi/pst_abi.h"
#include "bpf/core/pst_base.h"

struct pst_env {
	void *target;    /* the target's own: XDP or tc context, the host's tables */
	const struct pst_config *config;
	__u64 now_ns;    /* CLOCK_MONOTONIC, read once per packet; 10 ms late at most */
	__u32 ifindex;   /* the packet came in here */
	__u32 hook;      /* enum pst_hook */
};

pst_inline const struct pst_config *pst_get_config(struct pst_env *env);
pst_inline const struct pst_filter *pst_get_filter(struct pst_env *env);
pst_inline const struct pst_vip *pst_find_vip(struct pst_env *env, const struct pst_vip_key *key);
pst_inline pst_service_word_t *pst_get_service(struct pst_env *env, __u32 index);
pst_inline const struct pst_slot_line *pst_get_slots(struct pst_env *env, __u32 line);
pst_inline const struct pst_backend *pst_get_backend(struct pst_env *env, __u32 id);
pst_inline const struct pst_link *pst_get_link(struct pst_env *env, __u32 number);
pst_inline const __u32 *pst_find_link(struct pst_env *env, __u32 ifindex);
pst_inline struct pst_flow_line *pst_get_flows(struct pst_env *env, __u32 line);
pst_inline struct pst_return *pst_get_return(struct pst_env *env, __u32 index);
pst_inline struct pst_trial *pst_get_trial(struct pst_env *env, __u32 index);
pst_inline struct pst_trial_ref *pst_get_trial_ref(struct pst_env *env, __u32 index);
pst_inline struct pst_source *pst_get_source(struct pst_env *env, __u32 index);
pst_inline struct pst_verdict_count *pst_get_count(struct pst_env *env, __u32 verdict);
pst_inline struct pst_backend_count *pst_get_backend_count(struct pst_env *env, __u32 id);
pst_inline struct pst_service_count *pst_get_service_count(struct pst_env *env, __u32 index);

/* Applies differences to the TCP or UDP checksum at `check`, `offset` bytes into the frame: `addresses` is what changed in the pseudo
 * header, `ports` in the header itself, both as ones' complement sums (pst_csum.h). The last thing done to a packet: pointers into
 * it may be void afterwards. Where a device finishes the checksum (tc), only `addresses` may count. */
pst_inline void pst_fix_l4_check(struct pst_env *env, __u16 *check, __u32 offset, __u64 addresses, __u64 ports, __u8 udp);

/* Stages off the hot path, which a target may run in its own way: BPF as functions that the verifier walks once. Each ends in the core's
 * function named beside it. */
pst_inline __u32 pst_run_steer(struct pst_env *env, __u32 service, __u64 hash);                                 /* pst_steer */
pst_inline __u32 pst_run_trial_port(struct pst_env *env, __u64 flow_hash, __u32 backend, __u32 kind);           /* pst_trial_port */
pst_inline __u64 pst_run_return_hash(struct pst_env *env, __u32 backend, __u32 nat_port, __u32 kind);           /* pst_return_hash */
pst_inline int pst_run_promote(struct pst_env *env, __u64 flow_hash, __u32 kind_life);                          /* pst_trial_promote */
pst_inline int pst_run_touch_return(struct pst_env *env, __u32 backend, __u32 nat_port, __u32 kind_life, __u64 hop); /* pst_return_touch */
pst_inline void pst_run_touch_flow(struct pst_env *env, __u64 return_hash, __u32 kind_life);                    /* pst_return_touch_flow */
pst_inline void pst_run_relive(struct pst_env *env, __u64 flow_hash, __u32 backend, __u32 nat_port, __u32 life); /* pst_flow_relive */
pst_inline void pst_run_drop(struct pst_env *env, __u64 flow_hash);                                             /* pst_flow_drop */

#endif
