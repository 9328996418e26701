/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The core's stages off the hot path as global functions: the verifier walks each once, with unknown arguments, and not on every path that
 * leads to it (inlined, the program passes a million instructions and 512 bytes of stack). They take numbers only and make an
 * environment of their own. */
#ifndef PST_STAGES_H
#define PST_STAGES_H

#include "bpf/progs/pst_maps.h"

#include "bpf/core/pst_steer.h"
#include "bpf/core/pst_trial.h"

/* A stage that needs the configuration: 0 without one. */
#define PST_STAGE(type, name, parameters, now, result)          \
	__attribute__((noinline)) type name parameters          \
	{                                                       \
		struct pst_env env = {.now_ns = (now)};         \
                                                                \
		env.config = pst_get_config(&env);              \
		if (!env.config)                                \
			return 0;                               \
		return result;                                  \
	}

PST_STAGE(__u32, pst_stage_steer, (__u32 service, __u64 hash), 0, pst_steer(&env, service, hash))
PST_STAGE(__u32, pst_stage_trial_port, (__u64 flow_hash, __u32 backend, __u32 kind, __u64 now_ns), now_ns,
	  pst_trial_port(&env, flow_hash, backend, kind))
PST_STAGE(int, pst_stage_promote, (__u64 flow_hash, __u32 kind_life, __u64 now_ns), now_ns,
	  pst_trial_promote(&env, flow_hash, kind_life))
PST_STAGE(int, pst_stage_touch_return, (__u32 backend, __u32 nat_port, __u32 kind_life, __u64 hop), 0,
	  pst_return_touch(&env, backend, nat_port, kind_life, hop))
PST_STAGE(int, pst_stage_touch_flow, (__u64 return_hash, __u32 kind_life), 0, (pst_return_touch_flow(&env, return_hash, kind_life), 1))
PST_STAGE(int, pst_stage_relive, (__u64 flow_hash, __u32 backend, __u32 nat_port, __u32 life), 0,
	  (pst_flow_relive(&env, flow_hash, backend, nat_port, life), 1))
PST_STAGE(int, pst_stage_drop, (__u64 flow_hash), 0, (pst_flow_drop(&env, flow_hash), 1))

__attribute__((noinline)) __u64 pst_stage_return_hash(__u32 backend, __u32 nat_port, __u32 kind)
{
	struct pst_env env = {.now_ns = 0};
	const struct pst_backend *b = pst_backend_of(&env, backend);

	env.config = pst_get_config(&env);
	return b && env.config ? pst_return_hash(&env, b, (__u16)nat_port, kind) : 0;
}

pst_inline __u32 pst_run_steer(struct pst_env *env, __u32 service, __u64 hash)
{
	(void)env;
	return pst_stage_steer(service, hash);
}

pst_inline __u32 pst_run_trial_port(struct pst_env *env, __u64 flow_hash, __u32 backend, __u32 kind)
{
	return pst_stage_trial_port(flow_hash, backend, kind, env->now_ns);
}

pst_inline __u64 pst_run_return_hash(struct pst_env *env, __u32 backend, __u32 nat_port, __u32 kind)
{
	(void)env;
	return pst_stage_return_hash(backend, nat_port, kind);
}

pst_inline int pst_run_promote(struct pst_env *env, __u64 flow_hash, __u32 kind_life)
{
	return pst_stage_promote(flow_hash, kind_life, env->now_ns);
}

pst_inline int pst_run_touch_return(struct pst_env *env, __u32 backend, __u32 nat_port, __u32 kind_life, __u64 hop)
{
	(void)env;
	return pst_stage_touch_return(backend, nat_port, kind_life, hop);
}

pst_inline void pst_run_touch_flow(struct pst_env *env, __u64 return_hash, __u32 kind_life)
{
	(void)env;
	pst_stage_touch_flow(return_hash, kind_life);
}

pst_inline void pst_run_relive(struct pst_env *env, __u64 flow_hash, __u32 backend, __u32 nat_port, __u32 life)
{
	(void)env;
	pst_stage_relive(flow_hash, backend, nat_port, life);
}

pst_inline void pst_run_drop(struct pst_env *env, __u64 flow_hash)
{
	(void)env;
	pst_stage_drop(flow_hash);
}

#endif
