// SPDX-License-Identifier: Apache-2.0
// OpenSSL as a whole.
#pragma once

namespace penstock::tls {

// Does now what OpenSSL does at first use, reading its configuration file above all: for processes that give up opening files.
void load_library();

}  // namespace penstock::tls
