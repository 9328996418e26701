// SPDX-License-Identifier: Apache-2.0
// Keys for the kernel (kTLS), which from then on makes or reads the records of a socket. Each call is a system call or two; whoever gets
// `false` goes on as before.
#pragma once

#include "userspace/tls/record_cipher.hpp"

namespace penstock::tls {

// The socket, connected, becomes one that can have keys. An errno: ENOENT if this kernel has no kTLS or has not loaded it.
int attach_kernel(int fd);

enum class Way : std::uint8_t { write, read };
// The direction's next record is the kernel's. For a second time (after a KeyUpdate) only from kernel 6.14 on.
bool give_key(int fd, const Direction& direction, Way way);

// After a record that was refused the kernel sends nothing, not even an alert, until its error was fetched.
void fetch_error(int fd);

}  // namespace penstock::tls
