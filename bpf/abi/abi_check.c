/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Compiled by the C compiler and by the BPF compiler: the assertions in the header are the test. */
#include "bpf/abi/pst_abi.h"

int pst_abi_checked(void);
int pst_abi_checked(void)
{
	return PST_ABI_VERSION;
}
