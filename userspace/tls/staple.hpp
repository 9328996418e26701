// SPDX-License-Identifier: Apache-2.0
// An OCSP response that is stapled to a certificate (RFC 6066 8, RFC 8446 4.4.2.1). It is checked to be of that certificate and to call
// it good; its signature is the client's to verify. Outside of its time it is not stapled.
#pragma once

#include <cstdint>
#include <ctime>
#include <span>
#include <string>
#include <vector>

#include "userspace/base/result.hpp"

struct ssl_ctx_st;
struct ssl_st;
struct x509_st;

namespace penstock::tls {

class Staple {
public:
    // An error, in `object`'s name, for a response that must not be stapled whatever the time.
    static Result<Staple> parse(std::span<const std::uint8_t> der, const x509_st* leaf, const std::string& object);

    // The context staples it to the handshakes of clients that ask. This must outlive it and stay where it is.
    void attach(ssl_ctx_st* context) const;
    [[nodiscard]] bool fresh(std::time_t now) const { return now >= from_ && now < until_; }

private:
    static int on_status(ssl_st* ssl, void* self);
    std::vector<std::uint8_t> der_;
    std::time_t from_ = 0, until_ = 0;
};

}  // namespace penstock::tls
