// SPDX-License-Identifier: Apache-2.0
#include "ctl/gwctl/cluster.hpp"

#include <condition_variable>
#include <cstdio>
#include <deque>
#include <mutex>
#include <random>
#include <utility>

#include "ctl/kubeapi/collection_watch.hpp"

namespace penstock::gwctl {

Result<std::unique_ptr<Cluster>> Cluster::connect(const Arguments& arguments) {
    PST_TRY_ASSIGN(kubeapi::Access access, kubeapi::find_access(arguments.access));
    const std::string server = access.server;
    const std::string ns = access.ns;
    PST_TRY_ASSIGN(auto client, kubeapi::Client::start(std::move(access)));
    return std::make_unique<Cluster>(server, ns, std::move(client), arguments.request_timeout_ms);
}

Result<kubeapi::Resource> Cluster::resource(model::Kind kind) {
    static const kubeapi::Resources kBuiltIn = kubeapi::built_in_resources();
    if (const auto found = kBuiltIn.find(kind); found != kBuiltIn.end()) {
        return found->second;
    }
    if (!resources_) {
        auto discovered = asking_.discover();
        if (!discovered.ok()) {
            return std::move(discovered).error().in(text());
        }
        resources_ = std::move(*discovered);
    }
    const auto found = resources_->find(kind);
    if (found == resources_->end()) {
        return Error{.code = Errc::unsupported, .what = text() + " has no kind " + std::string(model::kind_name(kind)), .hint = "its CRD is not installed"};
    }
    return found->second;
}

void Cluster::watch(const kubeapi::Resource& resource, const std::optional<std::string>& ns, std::string selector, const std::function<bool(const kubeapi::Batch&)>& tell) {
    // From the client's thread to this one. Shared: what the client still has to say when nobody listens any more goes into it.
    struct Heard {
        std::mutex mutex;
        std::condition_variable more;
        std::deque<kubeapi::Batch> batches;
        std::string trouble;
    };
    auto heard = std::make_shared<Heard>();
    std::string path = ns ? resource.collection_in(*ns) : resource.collection();
    client_->after(kubeapi::milliseconds(0), [client = client_.get(), resource, path = std::move(path), selector = std::move(selector), heard] {
        kubeapi::Reflection reflection(resource.api_version, resource.kind, selector, std::random_device()());
        kubeapi::CollectionWatch::start(*client, path, std::move(reflection), [heard](kubeapi::Batch batch, const kubeapi::Reflection& now) {
            const std::lock_guard lock(heard->mutex);
            heard->batches.push_back(std::move(batch));
            heard->trouble = now.trouble() ? now.trouble()->sentence() : "";
            heard->more.notify_one();
        });
    });
    std::string told;
    for (;;) {
        std::unique_lock lock(heard->mutex);
        heard->more.wait(lock, [&] { return !heard->batches.empty(); });
        const kubeapi::Batch batch = std::move(heard->batches.front());
        heard->batches.pop_front();
        const std::string trouble = heard->trouble;
        lock.unlock();
        if (std::exchange(told, trouble) != trouble && !trouble.empty()) {
            std::fprintf(stderr, "note: %s: trying again\n", trouble.c_str());
        }
        if (!batch.empty() && !tell(batch)) {
            return;
        }
    }
}

}  // namespace penstock::gwctl
