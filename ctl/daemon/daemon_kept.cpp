// SPDX-License-Identifier: Apache-2.0
// What the daemon keeps in its state folder, so that a later one goes on where it was.
#include <algorithm>
#include <charconv>

#include "ctl/daemon/daemon.hpp"
#include "userspace/base/files.hpp"
#include "userspace/base/log.hpp"

namespace penstock::daemon {

namespace {

constexpr auto kSaveDelay = std::chrono::milliseconds(200);
constexpr auto kSaveDelayMax = std::chrono::seconds(10);
constexpr int kSaveShare = 100;  // of the time, what saving takes is at most the hundredth part
constexpr std::size_t kStateFileMax = 512U << 20;

constexpr const char* kFileIds = "ids";
constexpr const char* kFileObjects = "objects";
constexpr const char* kFileLoaded = "loaded.json";
constexpr const char* kFileGeneration = "generation";
constexpr const char* kFileStatus = "status.json";

// The text of a state file; nothing if there is none or it cannot be read, which is logged.
std::optional<std::string> kept(const StateDir& state, const char* name) {
    auto text = read_file(state.file(name), kStateFileMax);
    if (text.ok()) {
        return std::move(text).value();
    }
    if (text.error().sys_errno != ENOENT) {
        log::warn("{}", text.error().message());
    }
    return std::nullopt;
}

// Decodes a state file; damage is logged and the default taken.
template <class T, class Decode>
T kept_or(const StateDir& state, const char* name, T absent, const Decode& decode) {
    const auto text = kept(state, name);
    if (!text) {
        return absent;
    }
    auto decoded = decode(*text);
    if (!decoded.ok()) {
        log::warn("{}: {}; going on without it", state.file(name), decoded.error().message());
        return absent;
    }
    return std::move(decoded).value();
}

Result<std::uint64_t> decode_generation(std::string_view text) {
    std::uint64_t value = 0;
    const auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (failure != std::errc()) {
        return Error{.code = Errc::invalid, .what = "it holds no number"};
    }
    return value;
}

}  // namespace

void Daemon::restore() {
    const auto generation = kept_or<std::uint64_t>(state_, kFileGeneration, 0, decode_generation);
    const HeldRoot held = machine_.held();
    rollout_.restore(generation, held.generation, held.digest);
    loaded_ = kept_or(state_, kFileLoaded, source::Loaded(), source::Loaded::decode);
    merger_ = source::Merger(kept_or(state_, kFileObjects, source::IdentityBook(), source::IdentityBook::decode));
    if (const auto text = kept(state_, kFileStatus)) {
        if (const auto done = statuses_.restore(*text); !done.ok()) {
            log::warn("{}", done.error().message());
        }
    }
    auto empty = std::make_shared<compile::Compiled>();
    empty->ids = kept_or(state_, kFileIds, compile::Ids(), compile::decode_ids);
    compiled_ = std::move(empty);
}

void Daemon::noted(const StateWriter::Done& done) {
    for (const auto& [name, status] : done) {
        if (status.ok()) {
            unkept_.erase(name);
        } else {
            unkept_.insert_or_assign(name, status.error());
        }
    }
}

void Daemon::save_ids() {
    const Status status = writer_.now(kFileIds, compile::encode(compiled_->ids));
    ids_to_save_ = !status.ok();
    noted({{kFileIds, status}});
}

void Daemon::save_later() {
    if (!loop_.pending("save")) {
        const auto pause = std::clamp<Loop::Clock::duration>(kSaveShare * save_took_, kSaveDelay, kSaveDelayMax);
        loop_.at("save", Loop::Clock::now() + pause, [this] { save(); });
    }
}

// What is large becomes text on the writer's thread: it shares what does not change.
void Daemon::save() {
    std::map<std::string, StateWriter::Text> texts;
    texts[kFileGeneration] = [wanted = rollout_.generation().wanted] { return std::to_string(wanted); };
    texts[kFileStatus] = [statuses = statuses_.published()] { return status::Book::encode(statuses); };
    if (merger_.book().changed() || unkept_.contains(kFileObjects)) {
        texts[kFileObjects] = [text = merger_.book().encode()] { return text; };
    }
    if (ids_to_save_ || unkept_.contains(kFileIds)) {
        texts[kFileIds] = [compiled = compiled_] { return compile::encode(compiled->ids); };
        ids_to_save_ = false;
    }
    writer_.later(std::move(texts));
}

// On the writer's thread.
void Daemon::saved(StateWriter::Done done, Loop::Clock::duration took) {
    const bool runs = loop_.post([this, done, took] {
        const bool all_were_kept = unkept_.empty();
        noted(done);
        save_took_ = took;
        if (!all_were_kept || !unkept_.empty()) {
            tell();
        }
    });
    for (const auto& [name, status] : done) {
        if (!runs && !status.ok()) {
            log::warn("{}", status.error().message());
        }
    }
}

}  // namespace penstock::daemon
