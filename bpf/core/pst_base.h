/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The few words of C that every file of the core needs. No map, no packet, no helper of a target. */
#ifndef PST_BASE_H
#define PST_BASE_H

#include <linux/types.h>

#define pst_inline static inline __attribute__((always_inline))

/* Shared tables are read and written by other CPUs at any time: once, as a whole, where it is written. */
#define PST_READ(x) (*(const volatile __typeof__(x) *)&(x))
#define PST_WRITE(x, v) (*(volatile __typeof__(x) *)&(x) = (v))
#define pst_compiler_barrier() __asm__ volatile("" ::: "memory")
/* Keeps a struct in memory. In registers, clang would set each of its members anew before every branch out of a stage. */
#define pst_in_memory(pointer) __asm__ volatile("" : : "r"(pointer) : "memory")

#define pst_likely(x) __builtin_expect(!!(x), 1)
#define pst_unlikely(x) __builtin_expect(!!(x), 0)

/* Loops over a line's ways are unrolled, loops with a way out are not: the verifier walks those. GCC decides for itself. */
#ifdef __clang__
#define PST_UNROLLED _Pragma("clang loop unroll(full)")
#define PST_LOOPED _Pragma("clang loop unroll(disable)")
#else
#define PST_UNROLLED
#define PST_LOOPED
#endif

#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
#define PST_BE16(x) ((__u16)__builtin_bswap16((__u16)(x)))
#define PST_BE32(x) ((__u32)__builtin_bswap32((__u32)(x)))
#else
#define PST_BE16(x) ((__u16)(x))
#define PST_BE32(x) ((__u32)(x))
#endif

/* An IPv6 address, or an IPv4 address as ::ffff:a.b.c.d; network order. */
union pst_addr {
	__u8 byte[16];
	__u16 half[8];
	__u32 word[4];
	__u64 pair[2];
};

/* Addresses in the tables are aligned to 8 bytes. */
pst_inline const union pst_addr *pst_as_addr(const __u8 *bytes)
{
	return (const union pst_addr *)(const void *)bytes;
}

/* Who talks to whom: as it stands in the packet. */
struct pst_tuple {
	union pst_addr src;
	union pst_addr dst;
	__u16 sport_be;
	__u16 dport_be;
	__u8 proto;
	__u8 v6;
	__u16 zero;
};

#endif
