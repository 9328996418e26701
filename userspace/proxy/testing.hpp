// SPDX-License-Identifier: Apache-2.0
// For tests only: a snapshot made in memory, an edge thread that serves it on loopback, and the plain blocking peers on either side of
// it: a backend that is scripted by a function, and a client that says bytes and reads answers.
#pragma once

#include <fcntl.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>

#include <atomic>
#include <csignal>
#include <functional>
#include <future>
#include <map>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "schema/part_name.hpp"
#include "tools/test/catch.hpp"
#include "userspace/base/assert.hpp"
#include "userspace/http/headers.hpp"
#include "userspace/proxy/ports.hpp"
#include "userspace/proxy/tables.hpp"

namespace penstock::proxy::testing {

using namespace std::chrono_literals;

inline constexpr int kPatienceMs = 10'000;  // of a peer in a test: long past any deadline of ours

// ---- a snapshot in memory ----------------------------------------------------------------------------------------------------
inline std::unique_ptr<fb::ObjectRefT> object(std::string kind, std::string name) {
    auto made = std::make_unique<fb::ObjectRefT>();
    made->kind = std::move(kind);
    made->namespace_ = "default";
    made->name = std::move(name);
    return made;
}

inline std::unique_ptr<fb::Address> address(const IpAddress& ip) {
    return std::make_unique<fb::Address>(flatbuffers::span<const std::uint8_t, 16>(ip.bytes), static_cast<std::uint8_t>(ip.family));
}

// One rule that sends everything under `path` to `backends` (keys of backend parts; "" is unresolved).
struct RuleSpec {
    std::string path = "/";
    std::vector<std::pair<std::string, std::uint32_t>> backends = {{"web", 1}};
    fb::RuleT rule = {};
    fb::PathMatch kind = fb::PathMatch::Prefix;
};

inline fb::HostRoutesT host_routes(const std::vector<RuleSpec>& specs, std::string hostname = "") {
    fb::HostRoutesT part;
    part.hostname = std::move(hostname);
    for (const RuleSpec& spec : specs) {
        auto match = std::make_unique<fb::MatchT>();
        match->path_match = spec.kind;
        match->path = spec.path;
        match->rule = static_cast<std::uint32_t>(part.rules.size());
        part.matches.push_back(std::move(match));
        auto rule = std::make_unique<fb::RuleT>(spec.rule);
        rule->object = object("HTTPRoute", "route");
        rule->id = rule->index = static_cast<std::uint32_t>(part.rules.size());
        for (const auto& [key, weight] : spec.backends) {
            auto backend = std::make_unique<fb::WeightedBackendT>();
            backend->backends = key;
            backend->weight = weight;
            rule->backends.push_back(std::move(backend));
        }
        part.rules.push_back(std::move(rule));
    }
    return part;
}

class Snapshot {
public:
    Snapshot() { root.limits = std::make_unique<fb::LimitsT>(); }
    Snapshot(Snapshot&&) = default;
    Snapshot& operator=(Snapshot&&) = default;

    fb::RootT root;

    template <class Native>
    void part(fb::PartKind kind, const std::string& key, const Native& content) {
        flatbuffers::FlatBufferBuilder builder;
        builder.Finish(Native::TableType::Pack(builder, &content));
        const std::string_view bytes(reinterpret_cast<const char*>(builder.GetBufferPointer()), builder.GetSize());
        bytes_part(kind, key, std::string(bytes));
    }
    // Bytes as they are, valid or not.
    void bytes_part(fb::PartKind kind, const std::string& key, std::string bytes) {
        const std::string digest = std::to_string(std::hash<std::string>()(bytes));
        std::erase_if(root.parts, [&](const auto& ref) { return ref->kind == kind && ref->key == key; });
        auto ref = std::make_unique<fb::PartRefT>();
        ref->kind = kind;
        ref->key = key;
        ref->digest = digest;
        root.parts.push_back(std::move(ref));
        parts[fb::part_path(kind, key) + "/" + digest] = std::move(bytes);
    }
    void host(const std::string& key, const std::vector<RuleSpec>& specs) { part(fb::PartKind::Host, key, host_routes(specs)); }
    void backends(const std::string& key, const std::vector<Endpoint>& ready, fb::BackendProtocol protocol = fb::BackendProtocol::Http1,
                  const std::function<void(fb::BackendSetT&)>& change = {}) {
        fb::BackendSetT set;
        set.object = object("Service", key);
        set.port = 80;
        set.protocol = protocol;
        for (const Endpoint& endpoint : ready) {
            auto one = std::make_unique<fb::BackendEndpointT>();
            one->address = address(endpoint.address);
            one->port = endpoint.port;
            one->id = endpoint.port;  // of its own, on loopback
            set.endpoints.push_back(std::move(one));
        }
        if (change) {
            change(set);
        }
        part(fb::PartKind::Backends, key, set);
    }
    // A listener whose host names lead to host parts, all on the port named `socket`.
    std::uint32_t listener(fb::ListenerMode mode, const std::string& hostname, const std::vector<std::pair<std::string, std::string>>& hosts,
                           const std::string& certificates = "") {
        auto one = std::make_unique<fb::ListenerT>();
        const auto index = static_cast<std::uint32_t>(root.listeners.size());
        one->name = "Gateway/default/edge/" + std::to_string(index);
        one->object = object("Gateway", "edge");
        one->mode = mode;
        one->hostname = hostname;
        one->certificates = certificates;
        one->id = index;
        for (const auto& [name, key] : hosts) {
            auto entry = std::make_unique<fb::HostEntryT>();
            entry->hostname = name;
            entry->part = key;
            one->hosts.push_back(std::move(entry));
        }
        root.listeners.push_back(std::move(one));
        return index;
    }
    void port(fb::PortMode mode, const std::vector<std::uint32_t>& listeners, const std::string& socket = "edge", std::uint16_t number = 80) {
        auto one = std::make_unique<fb::PortT>();
        one->address = address(IpAddress::any(Family::v4));
        one->port = number;
        one->mode = mode;
        one->socket = socket;
        one->listeners = listeners;
        root.ports.push_back(std::move(one));
    }

    [[nodiscard]] std::string root_bytes() const {
        flatbuffers::FlatBufferBuilder builder;
        builder.Finish(fb::Root::Pack(builder, &root));
        return {reinterpret_cast<const char*>(builder.GetBufferPointer()), builder.GetSize()};
    }
    [[nodiscard]] Storage storage() const {
        return {.part = [this](const std::string& name) { return find(parts, name); }, .key = [this](const std::string& name) { return find(keys, name); }};
    }
    [[nodiscard]] Result<Built> build(const Tables* previous = nullptr) const {
        const std::string bytes = root_bytes();
        return build_tables({reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size()}, storage(), previous);
    }

    std::map<std::string, std::string> parts;
    std::map<std::string, std::string> keys;

private:
    static Result<std::span<const std::uint8_t>> find(const std::map<std::string, std::string>& where, const std::string& name) {
        const auto found = where.find(name);
        if (found == where.end()) {
            return Error{.code = Errc::not_found, .what = name + " is not there"};
        }
        return std::span<const std::uint8_t>(reinterpret_cast<const std::uint8_t*>(found->second.data()), found->second.size());
    }
};

inline fb::CertificateSetT certificate_set(const std::string& key_id, const std::string& chain_pem, const std::string& name) {
    fb::CertificateSetT set;
    auto one = std::make_unique<fb::CertificateT>();
    one->chain_pem = chain_pem;
    one->key_id = key_id;
    one->names = {name};
    one->object = object("Secret", name);
    set.certificates.push_back(std::move(one));
    return set;
}

// One plain HTTP port whose rules are these.
inline Snapshot http_snapshot(const std::vector<Endpoint>& ready, const std::vector<RuleSpec>& rules = {RuleSpec{}}) {
    Snapshot snapshot;
    snapshot.backends("web", ready);
    snapshot.host("all", rules);
    snapshot.port(fb::PortMode::Http, {snapshot.listener(fb::ListenerMode::Http, "", {{"", "all"}})});
    return snapshot;
}

// ---- blocking sockets --------------------------------------------------------------------------------------------------------
inline Endpoint loopback(std::uint16_t port = 0) { return {IpAddress::v4(INADDR_LOOPBACK), port}; }

inline Endpoint local_of(int fd) {
    sockaddr_storage name{};
    socklen_t size = sizeof name;
    REQUIRE(::getsockname(fd, reinterpret_cast<sockaddr*>(&name), &size) == 0);
    return *Endpoint::from_sockaddr(name);
}

inline Fd bound(int type) {
    Fd fd(::socket(AF_INET, type | SOCK_CLOEXEC, 0));
    sockaddr_storage name{};
    const socklen_t size = loopback().to_sockaddr(name);
    REQUIRE(::bind(fd.get(), reinterpret_cast<sockaddr*>(&name), size) == 0);
    return fd;
}
inline Fd listening(int backlog = 128) {
    Fd fd = bound(SOCK_STREAM);
    REQUIRE(::listen(fd.get(), backlog) == 0);
    return fd;
}

// A ring that dies on this thread interrupts system calls: again, then.
template <class Call>
auto uninterrupted(Call call) {
    for (;;) {
        const auto result = call();
        if (result >= 0 || errno != EINTR) {
            return result;
        }
    }
}

// Where nobody listens.
inline Endpoint nobody() {
    const Fd closed = listening();
    return local_of(closed.get());
}

struct Message {
    std::string head;   // with its empty line; empty: the peer ended first
    std::string body;   // decoded
    std::string trailers;
    bool whole = false;

    [[nodiscard]] int status() const { return head.size() < 12 ? 0 : std::stoi(head.substr(9, 3)); }
    [[nodiscard]] std::string start() const { return head.substr(0, head.find("\r\n")); }
    // The values of a field, joined by "|"; "-" if there is none.
    [[nodiscard]] std::string field(std::string_view name) const {
        std::string all;
        for (std::size_t at = head.find("\r\n") + 2; at + 2 < head.size();) {
            const std::size_t end = head.find("\r\n", at);
            const std::string_view line = std::string_view(head).substr(at, end - at);
            if (http::equals_ignoring_case(line.substr(0, line.find(':')), name)) {
                all += (all.empty() ? "" : "|") + std::string(line.substr(line.find(':') + 2));
            }
            at = end + 2;
        }
        return all.empty() ? "-" : all;
    }
};

class Peer {
public:
    explicit Peer(Fd fd) : fd_(std::move(fd)) {
        const timeval patience{.tv_sec = kPatienceMs / 1000, .tv_usec = 0};
        ::setsockopt(fd_.get(), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
        ::setsockopt(fd_.get(), SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
        const int on = 1;
        ::setsockopt(fd_.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    }
    static Peer connect(const Endpoint& to) {
        Fd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
        sockaddr_storage name{};
        const socklen_t size = to.to_sockaddr(name);
        const bool connected = ::connect(fd.get(), reinterpret_cast<sockaddr*>(&name), size) == 0;
        PST_ASSERT(connected);  // not the framework's: this runs on any thread
        return Peer(std::move(fd));
    }

    bool send(std::string_view text) {
        while (!text.empty()) {
            const ssize_t sent = ::send(fd_.get(), text.data(), text.size(), MSG_NOSIGNAL);
            if (sent < 0 && errno == EINTR) {
                continue;
            }
            if (sent <= 0) {
                return false;
            }
            text.remove_prefix(static_cast<std::size_t>(sent));
        }
        return true;
    }
    // One read into the buffer. False: the end, an error, or no patience left.
    bool more() {
        char bytes[16384];
        ssize_t got = 0;
        do {  // a ring that dies on this thread interrupts it
            got = ::recv(fd_.get(), bytes, sizeof bytes, 0);
        } while (got < 0 && errno == EINTR);
        error_ = got < 0 ? errno : 0;
        if (got <= 0) {
            return false;
        }
        received_.append(bytes, static_cast<std::size_t>(got));
        return true;
    }
    // `count` bytes, or fewer at the end.
    std::string take(std::size_t count) {
        while (received_.size() < count && more()) {
        }
        std::string taken = received_.substr(0, count);
        received_.erase(0, taken.size());
        return taken;
    }
    std::string take_until(std::string_view mark) {
        std::size_t searched = 0;
        for (;;) {
            const std::size_t at = received_.find(mark, searched);
            if (at != std::string::npos) {
                return take(at + mark.size());
            }
            searched = received_.size() < mark.size() ? 0 : received_.size() - mark.size() + 1;
            if (!more()) {
                return {};
            }
        }
    }
    std::string rest() {
        while (more()) {
        }
        return std::exchange(received_, {});
    }
    // A request, or the response to a request of that method.
    Message message(std::string_view method = "GET") {
        Message message;
        message.head = take_until("\r\n\r\n");
        if (message.head.empty()) {
            return message;
        }
        const bool response = message.head.starts_with("HTTP/");
        const int status = response ? message.status() : 0;
        if (response && (method == "HEAD" || status == 204 || status == 304 || status < 200)) {
            message.whole = true;
        } else if (message.field("Transfer-Encoding") == "chunked") {
            chunks(message);
        } else if (const std::string length = message.field("Content-Length"); length != "-") {
            const std::size_t size = std::stoul(length);
            message.body = take(size);
            message.whole = message.body.size() == size;
        } else if (response) {
            message.body = rest();
            message.whole = error_ == 0;
        } else {
            message.whole = true;
        }
        return message;
    }
    Message ask(std::string_view text, std::string_view method = "GET") {
        send(text);
        return message(method);
    }
    // True if the peer ends the connection (or resets it) before it says anything more.
    bool ended() { return received_.empty() && !more() && error_ != EAGAIN; }
    [[nodiscard]] int error() const { return error_; }
    void send_urgent(char byte) { ::send(fd_.get(), &byte, 1, MSG_OOB | MSG_NOSIGNAL); }
    void end_sending() { ::shutdown(fd_.get(), SHUT_WR); }
    void close() { fd_.reset(); }
    void reset() {
        const linger hard{.l_onoff = 1, .l_linger = 0};
        ::setsockopt(fd_.get(), SOL_SOCKET, SO_LINGER, &hard, sizeof hard);
        fd_.reset();
    }
    [[nodiscard]] int fd() const { return fd_.get(); }

private:
    void chunks(Message& message) {
        for (;;) {
            const std::string line = take_until("\r\n");
            if (line.empty()) {
                return;
            }
            const std::size_t size = std::stoul(line, nullptr, 16);
            if (size == 0) {
                break;
            }
            const std::string chunk = take(size);
            message.body += chunk;
            if (chunk.size() != size || take(2) != "\r\n") {
                return;
            }
        }
        for (std::string line = take_until("\r\n"); !line.empty(); line = take_until("\r\n")) {
            if (line == "\r\n") {
                message.whole = true;
                return;
            }
            message.trailers += line;
        }
    }

    Fd fd_;
    std::string received_;
    int error_ = 0;
};

// A backend: each accepted connection runs `script` on a thread of its own.
class Backend {
public:
    using Script = std::function<void(Peer&)>;
    explicit Backend(Script script) : script_(std::move(script)), listener_(listening()), at_(local_of(listener_.get())) {
        acceptor_ = std::thread([this] { accept_all(); });
    }
    ~Backend() { stop(); }

    [[nodiscard]] const Endpoint& at() const { return at_; }
    [[nodiscard]] int connections() const { return connections_; }
    void stop() {
        if (!acceptor_.joinable()) {
            return;
        }
        ::shutdown(listener_.get(), SHUT_RDWR);  // wakes accept
        acceptor_.join();
        listener_.reset();
        const std::lock_guard lock(mutex_);
        for (const int fd : open_) {
            ::shutdown(fd, SHUT_RDWR);
        }
        for (std::thread& one : serving_) {
            mutex_.unlock();
            one.join();
            mutex_.lock();
        }
    }

private:
    void accept_all() {
        for (;;) {
            Fd fd(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC));
            if (!fd.valid()) {
                return;
            }
            ++connections_;
            const std::lock_guard lock(mutex_);
            open_.push_back(fd.get());
            serving_.emplace_back([this, fd = std::move(fd)]() mutable {
                const int number = fd.get();
                Peer peer(std::move(fd));
                script_(peer);
                const std::lock_guard closing(mutex_);
                std::erase(open_, number);
                peer.close();
            });
        }
    }

    Script script_;
    Fd listener_;
    Endpoint at_;
    std::atomic<int> connections_ = 0;
    std::mutex mutex_;
    std::vector<int> open_;
    std::vector<std::thread> serving_;
    std::thread acceptor_;
};

// Answers each request with what was received: head and body, so that tests see what a backend sees.
inline void echo(Peer& peer) {
    for (;;) {
        const Message request = peer.message();
        if (!request.whole) {
            return;
        }
        const std::string body = request.head + request.body;
        peer.send("HTTP/1.1 200 OK\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body);
    }
}
// Answers every request with these bytes.
inline Backend::Script always(std::string answer) {
    return [answer = std::move(answer)](Peer& peer) {
        while (peer.message().whole && peer.send(answer)) {
        }
    };
}

// ---- the edge ----------------------------------------------------------------------------------------------------------------
inline ring::Kind ring_kind() {
    const ring::Kind kind = GENERATE(ring::Kind::io_uring, ring::Kind::epoll);
    if (kind == ring::Kind::io_uring && !ring::Loop::probe_io_uring().ok()) {
        WARN("no io_uring here");
        return ring::Kind::epoll;
    }
    return kind;
}

// Runs `what` as a task on a loop of its own, to the end.
inline void on_loop(const std::function<ring::Task<>(ring::Loop&)>& what) {
    ring::Options options;
    options.kind = ring_kind();
    auto loop = ring::Loop::create(options);
    REQUIRE(loop.ok());
    const auto then_stop = [](ring::Loop& on, ring::Task<> task) -> ring::Task<> {
        co_await std::move(task);
        on.stop();
    };
    (*loop)->spawn(then_stop(**loop, what(**loop)));
    CHECK((*loop)->run() == 0);
}

// A worker thread with one listening port that is named "edge" in the tables; a datagram socket if its mode there is Udp.
class Edge {
public:
    Edge(ring::Kind kind, const Snapshot& snapshot, ring::Options options = {})
        : options_(options), listener_(snapshot.root.ports.at(0)->mode == fb::PortMode::Udp ? bound(SOCK_DGRAM) : listening()), at_(local_of(listener_.get())) {
        auto built = snapshot.build();
        REQUIRE(built.ok());
        tables_ = built->tables;
        std::signal(SIGPIPE, SIG_IGN);  // as the worker does
        std::promise<void> ready;
        thread_ = std::thread([this, kind, &ready] { run(kind, ready); });
        ready.get_future().wait();
    }
    ~Edge() { stop(); }

    void stop() {
        if (thread_.joinable()) {
            loop_->stop();
            let_go_.set_value();
            thread_.join();
            CHECK(left_over_ == 0);
            CHECK(buffers_lent_ == 0);
        }
    }
    [[nodiscard]] const Endpoint& at() const { return at_; }
    [[nodiscard]] Peer client() const { return Peer::connect(at_); }
    [[nodiscard]] std::uint64_t reasons(Reason reason) const { return stats_->reasons[static_cast<std::size_t>(reason)]; }
    // Counters move after the bytes that a client sees: waits for it.
    [[nodiscard]] bool counted(Reason reason, std::uint64_t times = 1) const {
        return eventually([&] { return reasons(reason) == times; });
    }
    [[nodiscard]] const SlotStats& stats() const { return *stats_; }
    [[nodiscard]] SharedPage& shared() { return *shared_; }
    // Runs on the edge's thread, and waits for it.
    void on_thread(const std::function<void(Context&)>& what) {
        std::promise<void> done;
        loop_->post([&] {
            what(*context_);
            done.set_value();
        });
        done.get_future().wait();
    }
    void serve(const Snapshot& snapshot) {
        auto built = snapshot.build(tables_.get());
        REQUIRE(built.ok());
        tables_ = built->tables;
        on_thread([this](Context& context) { context.take(tables_); });
    }
    static bool eventually(const std::function<bool()>& holds) {
        for (int i = 0; i < kPatienceMs; ++i) {
            if (holds()) {
                return true;
            }
            std::this_thread::sleep_for(1ms);
        }
        return false;
    }

private:
    void run(ring::Kind kind, std::promise<void>& ready) {
        options_.kind = kind;
        auto loop = ring::Loop::create(options_);
        if (!loop.ok()) {
            throw std::runtime_error(loop.error().report());
        }
        loop_ = std::move(*loop);
        context_ = std::make_unique<Context>(*loop_, *stats_, *shared_);
        context_->tables = tables_;
        context_->ladder.kernel = std::getenv("PST_TEST_KTLS") != nullptr;
        if (tables_->ports.at("edge").mode == fb::PortMode::Udp) {
            auto port = loop_->bind(std::move(listener_));
            loop_->spawn(serve_datagrams(*context_, "edge", std::move(*port)));
        } else {
            loop_->spawn(accept_all());
        }
        ready.set_value();
        left_over_ = loop_->run();
        context_->pool.clear();
        buffers_lent_ = loop_->buffers_lent();
        context_.reset();
        let_go_.get_future().wait();  // stop() still uses the loop
        loop_.reset();                // here: a ring belongs to its thread
    }
    ring::Task<> accept_all() {
        auto listener = loop_->listen(std::move(listener_));
        for (;;) {
            ring::Opened client = co_await listener->accept();
            if (!client) {
                co_return;
            }
            loop_->spawn(serve_connection(*context_, "edge", std::move(client.socket)));
        }
    }

    ring::Options options_;
    Fd listener_;
    Endpoint at_;
    std::shared_ptr<const Tables> tables_;
    std::unique_ptr<SlotStats> stats_ = std::make_unique<SlotStats>();
    std::unique_ptr<SharedPage> shared_ = std::make_unique<SharedPage>();
    std::unique_ptr<ring::Loop> loop_;
    std::unique_ptr<Context> context_;
    std::size_t left_over_ = 0;
    unsigned buffers_lent_ = 0;
    std::promise<void> let_go_;
    std::thread thread_;
};

// Text that shows where it was damaged.
inline std::string pattern(std::size_t size) {
    std::string text(size, 0);
    for (std::size_t i = 0; i < size; ++i) {
        text[i] = static_cast<char>('a' + (i * 7 + i / 251) % 26);
    }
    return text;
}

}  // namespace penstock::proxy::testing
