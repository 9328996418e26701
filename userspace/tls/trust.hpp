// SPDX-License-Identifier: Apache-2.0
// Whom certificates of peers are verified by: a bundle of CA certificates, or the system's. Every certificate of a bundle is a trust
// anchor, also one that another CA signed, as Kubernetes users expect of a ca.crt.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "userspace/base/result.hpp"

struct x509_store_st;
struct ssl_ctx_st;

namespace penstock::tls {

class Trust {
public:
    // PEM; one bad certificate refuses all of it, as whoever is missing would be hard to find.
    static Result<Trust> of_bundle(std::string_view pem, const std::string& object);
    // Read once per change of the file and shared by all; opens files, so never on a thread that serves.
    static Result<Trust> of_system(const std::string& object);

    // The context verifies by this store.
    void attach(ssl_ctx_st* context) const;
    // The context also tells clients the names of these CAs, if they are few enough to be worth their bytes.
    void announce(ssl_ctx_st* context) const;

private:
    std::shared_ptr<x509_store_st> store_;
};

}  // namespace penstock::tls
