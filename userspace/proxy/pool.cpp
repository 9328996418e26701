// SPDX-License-Identifier: Apache-2.0
#include "userspace/proxy/pool.hpp"

#include <algorithm>

namespace penstock::proxy {

Stream Pool::take(const BackendPlace& place) {
    const auto found = kept_.find(place);
    while (found != kept_.end() && !found->second.empty()) {
        std::unique_ptr<Kept> newest = std::move(found->second.back());
        found->second.pop_back();
        --size_;
        newest->stream.socket().unpark();
        if (newest->stream.socket().quiet()) {
            return std::move(newest->stream);
        }
    }
    return {};
}

void Pool::give(const BackendPlace& place, Stream stream, ring::Duration idle, std::size_t most) {
    if (most == 0 || !stream.data().empty() || !stream.socket().quiet()) {
        return;
    }
    auto& list = kept_[place];
    if (list.size() >= most) {
        list.front()->stream.socket().unpark();
        list.erase(list.begin());
        --size_;
    }
    const ring::Duration span = list.size() < kLasting ? idle : std::min(idle, burst_);
    list.push_back(std::make_unique<Kept>(*this, place, std::move(stream)));
    ++size_;
    list.back()->stream.socket().park(*list.back(), loop_.after(span));
}

void Pool::forget(Kept& kept) {
    const auto found = kept_.find(kept.place);
    auto& list = found->second;
    const auto at = std::find_if(list.begin(), list.end(), [&](const auto& one) { return one.get() == &kept; });
    list.erase(at);
    --size_;
    if (list.empty()) {
        kept_.erase(found);
    }
}

Pool::Places::iterator Pool::drop(Places::iterator place) {
    for (auto& kept : place->second) {
        kept->stream.socket().unpark();
        --size_;
    }
    return kept_.erase(place);
}

void Pool::clear() {
    keep_only([](const BackendPlace&) { return false; });
}

}  // namespace penstock::proxy
