// SPDX-License-Identifier: Apache-2.0
#include "userspace/proxy/session.hpp"

#include <algorithm>

namespace penstock::proxy {

void Session::begin(const Persistence& persistence, const http::Headers& request, const BackendSet& set, bool secure, std::uint32_t now_s) {
    persistence_ = &persistence;
    secure_ = secure;
    now_s_ = now_s;
    token_ = persistence.read(request, now_s);
    if (!token_) {
        return;
    }
    for (const std::uint64_t pin : token_->pins) {
        const auto found = std::find_if(set.ready.begin(), set.ready.end(), [&](const BackendEndpoint& endpoint) { return persistence.pin(endpoint.digest) == pin; });
        if (found != set.ready.end()) {
            pinned_ = &*found;
            return;
        }
    }
}

void Session::tell(http::Headers& response, const BackendEndpoint* answered, int status) {
    if (persistence_ == nullptr || answered == nullptr || status >= 500 || (answered == pinned_ && !persistence_->is_stale(*token_, now_s_))) {
        return;
    }
    SessionToken next = token_.value_or(SessionToken{.began_s = now_s_});
    next.used_s = now_s_;
    const std::uint64_t pin = persistence_->pin(answered->digest);
    std::erase(next.pins, pin);
    next.pins.insert(next.pins.begin(), pin);
    next.pins.resize(std::min(next.pins.size(), SessionToken::kPinsMax));
    field_ = persistence_->field_value(next, secure_, now_s_);
    if (persistence_->is_cookie()) {
        response.add(persistence_->field_name(), field_);
    } else {
        response.set(persistence_->field_name(), field_);
    }
}

}  // namespace penstock::proxy
