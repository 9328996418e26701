// SPDX-License-Identifier: Apache-2.0
// Who makes and reads the records of TLS connections after the handshake: the kernel (kTLS), if it may and can; else we; else OpenSSL, for
// ciphers that we have no record layer for. A connection climbs when it can, each direction by itself, and is counted on each rung.
// Of one thread.
#pragma once

#include "schema/stats_page.hpp"

namespace penstock::proxy {

struct TlsLadder {
    SlotStats& stats;
    bool kernel = false;  // may be tried; turned off once this kernel turned out to have none
};

}  // namespace penstock::proxy
