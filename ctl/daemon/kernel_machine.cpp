// SPDX-License-Identifier: Apache-2.0
#include "ctl/daemon/kernel_machine.hpp"

#include <cerrno>
#include <utility>

#include "ctl/apply/sockets.hpp"
#include "ctl/plan/publish.hpp"
#include "userspace/base/log.hpp"

namespace penstock::daemon {

namespace {

using keeper::ItemKind;

constexpr auto kTick = std::chrono::seconds(5);
constexpr auto kWitnesses = std::chrono::milliseconds(400);  // at most so often, and in each round of questions for an address

std::int64_t now_ms() { return std::chrono::duration_cast<std::chrono::milliseconds>(Loop::Clock::now().time_since_epoch()).count(); }

// A root is kept under its digest and generation: the bytes differ by the generation alone.
std::string root_name(const std::string& digest, std::uint64_t generation) { return digest + "/" + std::to_string(generation); }

apply::EdgeOptions edge_options(const Options& options) {
    apply::EdgeOptions edge;
    edge.bpf = options.datapath != DatapathWish::userspace;
    edge.interfaces = options.interfaces;
    edge.addresses = options.addresses;
    edge.announce = options.announce == "auto" || options.announce == "off" ? "" : options.announce;
    edge.shared = shares_addresses(options);
    edge.datapath.pin_dir = options.pin_dir;
    edge.datapath.nat_port_min = options.nat_ports.first;
    edge.datapath.nat_port_max = options.nat_ports.last;
    edge.datapath.flows_max = options.flows_max;
    edge.datapath.vips_max = options.vips_max;
    edge.datapath.services_max = options.services_max;
    edge.datapath.backends_max = options.backends_max;
    return edge;
}

}  // namespace

Result<std::unique_ptr<KernelMachine>> KernelMachine::open(Loop& loop, const Options& options, std::vector<compile::OwnKey> session_keys, Fd keeper_fd) {
    PST_TRY_ASSIGN(auto edge, apply::Edge::open(edge_options(options)));
    if (options.datapath == DatapathWish::xdp && !edge->has_datapath()) {
        return Error(*edge->why_no_datapath()).in("--datapath=xdp");
    }
    if (!edge->has_datapath() && options.datapath == DatapathWish::automatic) {
        log::warn("TCP and UDP are served in user space: {}", edge->why_no_datapath()->message());
    }
    PST_TRY_ASSIGN(auto keeper, apply::KeeperLink::over(std::move(keeper_fd)));
    return std::unique_ptr<KernelMachine>(new KernelMachine(loop, options, std::move(session_keys), std::move(keeper), std::move(edge)));
}

KernelMachine::KernelMachine(Loop& loop, Options options, std::vector<compile::OwnKey> session_keys, std::unique_ptr<apply::KeeperLink> keeper,
                             std::unique_ptr<apply::Edge> edge)
    : loop_(loop), options_(std::move(options)), session_keys_(std::move(session_keys)), keeper_(std::move(keeper)), edge_(std::move(edge)) {
    root_name_ = keeper_->published_root();
}

// ---- what the machine tells -------------------------------------------------------------------------------------------
void KernelMachine::listen(MachineEvents events) {
    events_ = std::move(events);
    keeper_->on_taken = [this](const keeper::TakenT& taken) { on_taken(taken); };
    for (const auto& [fd, ready] : {std::pair<int, Loop::Task>{keeper_->fd(), [this] { hear_keeper(); }}, {edge_->events_fd(), [this] { hear_network(); }}}) {
        if (auto watched = loop_.watch(fd, ready); !watched.ok()) {
            log::error("{}", watched.error().report());
        }
    }
    open_announcer();
    tick_later();
    // What came with the greeting has been read already.
    for (const auto& [pid, worker] : keeper_->workers()) {
        if (worker.state == keeper::WorkerState::Active && worker.generation != 0) {
            loop_.post([this, generation = worker.generation] { events_.taken({.generation = generation, .failed = {}, .refused = {}}); });
        }
    }
}

void KernelMachine::hear_keeper() {
    if (auto heard = keeper_->receive(); !heard.ok()) {
        loop_.unwatch(keeper_->fd());
        events_.lost(heard.error().message());
    }
}

void KernelMachine::hear_network() {
    if (edge_->on_events()) {
        announce();
        events_.changed();
    }
}

// ---- the link -----------------------------------------------------------------------------------------------------------
void KernelMachine::open_announcer() {
    if (options_.announce == "off") {
        return;
    }
    auto opened = apply::Announcer::open();
    if (!opened.ok()) {
        log::warn("addresses are not announced: {}", opened.error().message());
        why_no_announcer_ = std::move(opened).error();
        return;
    }
    announcer_ = std::move(opened).value();
    for (const int fd : announcer_->fds()) {
        if (auto watched = loop_.watch(fd, [this] { hear_neighbours(); }); !watched.ok()) {
            log::error("{}", watched.error().report());
        }
    }
}

void KernelMachine::hear_neighbours() {
    const apply::Announcer::Heard heard = announcer_->hear(Loop::Clock::now());
    for (const IpAddress& address : heard.claims) {
        events_.claimed(address);
    }
    if (!heard.works.empty()) {
        events_.link_works(heard.works);
    }
}

void KernelMachine::announce() {
    if (!announcer_) {
        return;
    }
    announcer_->keep(edge_->announced(), Loop::Clock::now());
    send_announcements();
}

void KernelMachine::send_announcements() {
    if (const auto next = announcer_->send_due(Loop::Clock::now())) {
        loop_.at("announce", *next, [this] { send_announcements(); });
    } else {
        loop_.cancel("announce");
    }
}

void KernelMachine::share(const AddressShare& share) {
    const bool done = edge_->share(share.held, share.expires);
    announce();
    if (announcer_ && !share.defend.empty()) {
        for (const IpAddress& address : share.defend) {
            announcer_->again(address, Loop::Clock::now());
        }
        send_announcements();
    }
    if (!done) {
        events_.changed();
    }
}

void KernelMachine::ask(const std::vector<IpAddress>& addresses, const std::vector<IpAddress>& peers) {
    if (!announcer_) {
        return;
    }
    const auto now = Loop::Clock::now();
    const std::vector<apply::Announced> places = edge_->places(addresses);
    std::vector<apply::Announced> known;
    if (!places.empty() && now - witnesses_asked_ >= kWitnesses) {
        witnesses_asked_ = now;
        known = edge_->places(peers);
        const auto near = edge_->neighbours_near(places);
        known.insert(known.end(), near.begin(), near.end());
    }
    announcer_->ask(places, known, now);
}

void KernelMachine::tell_refused() {
    for (const apply::AddressState& state : edge_->addresses()) {
        if (state.refused) {
            loop_.post([this, address = state.address] { events_.refused(address); });
        }
    }
}

void KernelMachine::tick_later() {
    loop_.at("tick", Loop::Clock::now() + kTick, [this] {
        if (edge_->tick()) {
            events_.changed();
        }
        tick_later();
    });
}

void KernelMachine::on_taken(const keeper::TakenT& taken) {
    WorkerTaken told{.generation = taken.generation, .failed = {}, .refused = taken.refused};
    for (const auto& part : taken.failed) {
        told.failed.emplace_back(part->part, part->reason);
    }
    events_.taken(told);
    keeper_->make_files();
}

HeldRoot KernelMachine::held() const {
    const std::string& root = keeper_->published_root();
    return {.generation = keeper_->published_generation(), .digest = root.substr(0, root.find('/'))};
}

compile::Options KernelMachine::compile_options() const {
    compile::Options compile;
    compile.node_addresses = edge_->node_addresses();
    compile.own_addresses = edge_->own_addresses();
    compile.xdp = edge_->has_datapath();
    compile.limits = edge_->limits();
    compile.session_keys = session_keys_;
    compile.metrics = options_.metrics;
    return compile;
}

// ---- the steps of a rollout ---------------------------------------------------------------------------------------------
Trouble KernelMachine::to_trouble(const compile::Compiled& wanted, const apply::Problem& problem) {
    Trouble trouble{.what = problem.what, .error = problem.error, .failure = {}};
    if (problem.address) {
        trouble.failure = owner_of_address(wanted, *problem.address, problem.error.sentence());
    }
    return trouble;
}

// A port that somebody else on this node has stays his: the packet core would take it from him.
void KernelMachine::open_missing_sockets(const compile::Compiled& wanted, std::vector<Trouble>& troubles) {
    std::set<plan::VipKey> taken;
    for (const auto* port : *root_of(wanted)->ports()) {
        const std::string socket = port->socket()->str();
        if (keeper_->held().contains({ItemKind::Socket, socket})) {
            continue;
        }
        auto opened = [&]() -> Status {
            PST_TRY_ASSIGN(const apply::SocketName name, apply::parse_socket_name(socket));
            auto fds = apply::open_sockets(name, keeper_->slots());
            if (!fds.ok() && fds.error().sys_errno == EADDRINUSE) {
                taken.insert({name.endpoint, static_cast<std::uint8_t>(name.transport)});
            }
            if (!fds.ok()) {
                return std::move(fds).error();
            }
            std::vector<int> numbers;
            for (const Fd& fd : *fds) {
                numbers.push_back(fd.get());
            }
            return keeper_->put(ItemKind::Socket, socket, numbers);
        }();
        if (!opened.ok()) {
            troubles.push_back({.what = "socket " + socket, .error = opened.error(), .failure = owner_of_socket(wanted, socket, opened.error().sentence())});
        }
    }
    edge_->leave_to_others(std::move(taken));
}

std::vector<Trouble> KernelMachine::prepare(const compile::Compiled& wanted) {
    std::vector<Trouble> troubles;
    open_missing_sockets(wanted, troubles);
    for (const apply::Problem& problem : edge_->prepare(wanted, now_ms())) {
        troubles.push_back(to_trouble(wanted, problem));
    }
    announce();
    tell_refused();
    return troubles;
}

Status KernelMachine::publish(const compile::Compiled& wanted, const std::string& digest, std::uint64_t generation) {
    const std::string name = root_name(digest, generation);
    const compile::Snapshot shipped = std::exchange(shipped_, {});  // not known any more if this stops half-way
    publish_failed_ = true;
    for (const auto& [kind, item] : plan::puts(keeper_->held(), shipped, wanted.snapshot, name)) {
        switch (kind) {
            case ItemKind::Key: PST_TRY(keeper_->put_bytes(kind, item, wanted.snapshot.keys.at(item)->reveal())); break;
            case ItemKind::Parts: PST_TRY(keeper_->put_bytes(kind, item, compile::list_bytes(*compile::list_named(wanted.snapshot, item)))); break;
            case ItemKind::Root: PST_TRY(keeper_->put_bytes(kind, item, compile::root_bytes(wanted.snapshot, generation))); break;
            case ItemKind::Socket:      // prepare() has tried
            case ItemKind::StatsPage:   // the keeper's own
            case ItemKind::AccessLog: break;
        }
    }
    const auto* root = root_of(wanted);
    PST_TRY(keeper_->publish(generation, name, root != nullptr && root->limits() != nullptr ? root->limits()->drain_ms() : 0));
    root_name_ = name;
    if (shipped.root != nullptr) {
        plan::note_idle(shipped, wanted.snapshot, idle_);
    } else {
        idle_ = plan::idle_lists(keeper_->held(), wanted.snapshot);
    }
    shipped_ = wanted.snapshot;
    publish_failed_ = false;
    return success();
}

std::vector<Trouble> KernelMachine::finish(const compile::Compiled& wanted) {
    std::vector<Trouble> troubles;
    for (const apply::Problem& problem : edge_->finish(wanted, now_ms())) {
        troubles.push_back(to_trouble(wanted, problem));
    }
    announce();
    if (publish_failed_) {
        return troubles;  // what is published still may need any of it
    }
    if (shipped_.root == nullptr) {
        idle_ = plan::idle_lists(keeper_->held(), wanted.snapshot);
    }
    for (const auto& [kind, item] : plan::drops(keeper_->held(), idle_, wanted.snapshot, root_name_)) {
        if (auto dropped = keeper_->drop(kind, item); !dropped.ok()) {
            troubles.push_back({.what = "drop " + item, .error = std::move(dropped).error(), .failure = {}});
        }
    }
    std::erase_if(idle_, [&](const std::string& list) { return !keeper_->held().contains({ItemKind::Parts, list}); });
    return troubles;
}

std::vector<Trouble> KernelMachine::standing_troubles() const {
    std::vector<Trouble> troubles;
    for (const auto& [pid, worker] : keeper_->workers()) {
        if (!worker.unconfined.empty() && troubles.empty()) {
            troubles.push_back({.what = "confine the worker", .error = {.code = Errc::unsupported, .what = worker.unconfined, .hint = "it serves, with every system call open to it"}, .failure = {}});
        }
    }
    // Alone, a node is found without being announced.
    if (const auto& why = announcer_ ? announcer_->trouble() : why_no_announcer_; why && shares_addresses(options_)) {
        troubles.push_back({.what = "announce addresses", .error = *why, .failure = {}});
    }
    return troubles;
}

}  // namespace penstock::daemon
