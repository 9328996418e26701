// SPDX-License-Identifier: Apache-2.0
// Why a TLS connection failed, coarse enough to be counted; the sentence beside it has the rest.
#pragma once

#include <array>
#include <cstdint>
#include <string>

namespace penstock::tls {

enum class Fault : std::uint8_t {
    none,
    not_tls,      // the first bytes are no TLS record
    malformed,    // a handshake message contradicts itself or comes out of turn
    version,      // no TLS version in common
    suite,        // no cipher suite, group, signature or protocol in common
    certificate,  // the peer's certificate is missing or was not accepted
    alert,        // the peer broke off with an alert
    record,       // a record is too large, out of place, or does not authenticate
    name,         // nobody is here by the server name that the hello has
    no_name,      // it has none, and one is needed
    unready,      // its listener has no certificate to show
    other
};

// Takes OpenSSL's first queued error, clears the queue, and puts its sentence into `text`.
Fault take_fault(std::string& text);

// A fatal alert in the clear, for a hello that gets no session: what RFC 8446 6.2 says of this fault.
std::array<std::uint8_t, 7> alert_of(Fault fault);

}  // namespace penstock::tls
