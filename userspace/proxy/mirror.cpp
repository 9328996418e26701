// SPDX-License-Identifier: Apache-2.0
#include "userspace/proxy/mirror.hpp"

#include "userspace/proxy/backend_connect.hpp"
#include "userspace/proxy/backend_slot.hpp"
#include "userspace/proxy/whole_answer.hpp"

namespace penstock::proxy {

namespace {

constexpr std::size_t kCopiesMax = 1024;              // on their way, of one thread ...
constexpr std::size_t kCopyBytesMax = 32U << 20;      // ... and the bytes of their bodies
constexpr std::size_t kAnswerBytesMax = 1U << 20;     // beyond, the connection is closed: cheaper than to read on

struct Copy {
    std::shared_ptr<const Outgoing> request;
    std::shared_ptr<const std::string> body;
    std::shared_ptr<const BackendSet> to;
    std::optional<Endpoint> source, destination;  // of the client's connection
};

// A copy that is on its way.
class Place {
public:
    Place(MirrorLoad& load, std::size_t bytes) : load_(load), bytes_(bytes) {
        ++load_.copies;
        load_.bytes += bytes_;
    }
    Place(const Place&) = delete;
    ~Place() {
        --load_.copies;
        load_.bytes -= bytes_;
    }

private:
    MirrorLoad& load_;
    std::size_t bytes_;
};

enum class Outcome : std::uint8_t { answered, failed, again };

ring::Task<Outcome> try_once(Context& context, const Copy& copy, const http::Limits& limits, Wish& wish, ring::Time deadline) {
    BackendConnection connection = co_await connect_backend(context, copy.to, wish, deadline);
    if (!connection.open()) {
        co_return Outcome::failed;
    }
    const Claim claim = std::move(connection.claim);
    const bool reused = connection.reused;
    BackendSlot slot;
    BackendSide& side = slot.take(context, std::move(connection), limits);
    side.start(*copy.request);
    if (!copy.body->empty()) {
        side.add(*copy.body);
    }
    side.end({});
    const int sent = co_await side.flush(deadline);  // what it has said all the same counts
    const bool has_head = co_await read_answer_head(side, deadline);
    if (!has_head) {
        side.close();
        const bool safe = idempotent(copy.request->method) || side.unprocessed();
        co_return reused && safe && context.loop.now() < deadline ? Outcome::again : Outcome::failed;
    }
    bool whole = false;
    if (side.head().status != 101) {
        whole = co_await read_answer_body(side.body(), kAnswerBytesMax, deadline);
    }
    if (side.head().status < 500) {
        claim.succeeded();  // that it fails here says nothing of those who wait for it
    }
    side.finish(whole && sent == 0);
    co_return Outcome::answered;
}

ring::Task<> send_copy(Context& context, Copy copy, http::Limits limits) {
    const Place place(context.mirrors, copy.body->size());
    const ClientHold hold(context.h2_pool, copy.destination ? copy.source : std::nullopt);
    const ring::Time deadline = context.in_ms(context.mirrors.copy_ms);
    Wish wish = wish_of(*copy.to, copy.request->forwarded.client, &copy.request->headers);
    wish.source = copy.source;
    wish.destination = copy.destination;
    Outcome outcome = co_await try_once(context, copy, limits, wish, deadline);
    if (outcome == Outcome::again) {  // the kept connection was closed under us
        wish.fresh = true;
        outcome = co_await try_once(context, copy, limits, wish, deadline);
    }
    if (outcome != Outcome::answered) {
        context.count_reason(Reason::mirror_failed);
    }
}

}  // namespace

std::vector<std::shared_ptr<const BackendSet>> due_mirrors(Context& context, const Rule& rule) {
    std::vector<std::shared_ptr<const BackendSet>> due;
    if (rule.mirrors.empty()) {
        return due;
    }
    const std::uint64_t ticket = context.shared.next_of_mirrors(rule.spec->id());
    for (const RuleMirror& mirror : rule.mirrors) {
        // Of `denominator` tickets in a row, `numerator` that lie as far apart as they can.
        if (ticket % mirror.denominator * mirror.numerator % mirror.denominator < mirror.numerator) {
            due.push_back(mirror.set);
        }
    }
    return due;
}

void Mirroring::prepare(std::vector<std::shared_ptr<const BackendSet>> to, const http::RequestHead& head, std::string_view path, const ClientFacts& client,
                        const Treatment& treatment, std::string_view request_id) {
    if (to.empty() || head.upgrade) {
        return;
    }
    to_ = std::move(to);
    request_ = std::make_shared<Outgoing>();
    source_ = client.source;
    destination_ = client.destination;
    Treatment mine = treatment;
    mine.backend = nullptr;
    prepare_request(*request_, head, path, client, mine, request_id);
    request_->headers.remove("expect");  // its body is here
    request_->own();
}

void Mirroring::send(Context& context, const Replay& body) {
    if (!waiting()) {
        return;
    }
    if (!body.can_rewind()) {
        return give_up(context);
    }
    auto bytes = std::make_shared<std::string>();
    for (const std::string& piece : body.kept()) {
        *bytes += piece;
    }
    if (request_->framing != http::Framing::none) {
        request_->framing = http::Framing::length;
        request_->content_length = bytes->size();
    }
    for (auto& set : to_) {
        if (context.mirrors.copies >= kCopiesMax || context.mirrors.bytes + bytes->size() > kCopyBytesMax) {
            context.count_reason(Reason::mirror_limit);
            continue;
        }
        Copy copy{request_, bytes, std::move(set), source_, destination_};
        context.loop.spawn(send_copy(context, std::move(copy), http_limits(context.tables->limits)));
    }
    request_.reset();
}

void Mirroring::end(Context& context, const Replay& body) {
    if (body.complete()) {
        send(context, body);
    } else {
        give_up(context);
    }
}

void Mirroring::give_up(Context& context) {
    if (waiting()) {
        for (std::size_t i = 0; i < to_.size(); ++i) {
            context.count_reason(Reason::mirror_body);
        }
        request_.reset();
    }
}

}  // namespace penstock::proxy
