// SPDX-License-Identifier: Apache-2.0
#include "userspace/proxy/pool.hpp"

#include <algorithm>

namespace penstock::proxy {

ring::Socket Pool::take(const Endpoint& endpoint) {
    const auto found = kept_.find(endpoint);
    while (found != kept_.end() && !found->second.empty()) {
        std::unique_ptr<Kept> newest = std::move(found->second.back());
        found->second.pop_back();
        --size_;
        newest->socket.unpark();
        if (newest->socket.quiet()) {
            return std::move(newest->socket);
        }
    }
    return {};
}

void Pool::give(const Endpoint& endpoint, ring::Socket socket, ring::Duration idle, std::size_t most) {
    if (most == 0 || !socket.quiet()) {
        return;
    }
    auto& list = kept_[endpoint];
    if (list.size() >= most) {
        list.front()->socket.unpark();
        list.erase(list.begin());
        --size_;
    }
    list.push_back(std::make_unique<Kept>(*this, endpoint, std::move(socket)));
    ++size_;
    list.back()->socket.park(*list.back(), loop_.after(idle));
}

void Pool::forget(Kept& kept) {
    const auto found = kept_.find(kept.endpoint);
    auto& list = found->second;
    const auto place = std::find_if(list.begin(), list.end(), [&](const auto& one) { return one.get() == &kept; });
    list.erase(place);
    --size_;
    if (list.empty()) {
        kept_.erase(found);
    }
}

void Pool::clear() {
    for (auto& [endpoint, list] : kept_) {
        for (auto& kept : list) {
            kept->socket.unpark();
        }
    }
    kept_.clear();
    size_ = 0;
}

}  // namespace penstock::proxy
