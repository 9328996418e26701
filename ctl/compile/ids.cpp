// SPDX-License-Identifier: Apache-2.0
#include "ctl/compile/ids.hpp"

#include <algorithm>
#include <array>
#include <charconv>

#include "userspace/base/assert.hpp"

namespace penstock::compile {
namespace {

// The spaces in the order of their lines in the text.
template <class IdsLike>
auto spaces(IdsLike& ids) {
    return std::array{&ids.backends, &ids.services, &ids.listeners, &ids.rules, &ids.sets, &ids.endpoints};
}
constexpr std::array<std::string_view, 6> kSpaceNames = {"backends", "services", "listeners", "rules", "sets", "endpoints"};
constexpr std::string_view kTextHeader = "penstock ids 1";

void encode_table(std::string_view space, const IdTable& table, std::string& out) {
    const auto line = [&](std::string_view word, std::uint32_t id, std::string_view name) {
        out.append(space).append(" ").append(word).append(" ").append(std::to_string(id)).append(" ").append(name).append("\n");
    };
    line("next", table.next, "-");
    std::vector<std::pair<std::uint32_t, std::string_view>> live;
    for (const auto& [name, entry] : table.live) {
        live.emplace_back(entry.id, name);
    }
    std::sort(live.begin(), live.end());
    for (const auto& [id, name] : live) {
        line("live", id, name);
    }
    for (const auto& [name, id] : table.resting) {
        line("rest", id, name);
    }
}

struct Line {
    std::string_view space;
    std::string_view word;
    std::uint32_t id = 0;
    std::string_view name;
};

std::string_view cut(std::string_view& rest) {
    const std::size_t end = std::min(rest.find(' '), rest.size());
    const std::string_view word = rest.substr(0, end);
    rest.remove_prefix(std::min(end + 1, rest.size()));
    return word;
}

std::optional<Line> parse_line(std::string_view text) {
    Line line;
    line.space = cut(text);
    line.word = cut(text);
    const std::string_view number = cut(text);
    line.name = text;
    const auto [end, error] = std::from_chars(number.data(), number.data() + number.size(), line.id);
    if (error != std::errc() || end != number.data() + number.size() || line.id == 0 || line.name.empty()) {
        return std::nullopt;
    }
    return line;
}

bool add_line(IdTable& table, const Line& line, std::unordered_set<std::uint32_t>& used) {
    if (line.word == "next") {
        table.next = line.id;
        return true;
    }
    if (!used.insert(line.id).second) {
        return false;
    }
    if (line.word == "live") {
        const auto slot = static_cast<std::uint32_t>(table.live.size());
        return table.live.emplace(line.name, IdTable::Entry{line.id, slot}).second;
    }
    table.resting.emplace_back(line.name, line.id);
    return line.word == "rest";
}

}  // namespace

IdTaker::IdTaker(IdTablePtr previous, std::uint32_t max)
    : previous_(previous ? std::move(previous) : std::make_shared<const IdTable>()),
      max_(max),
      next_(previous_->next),
      seen_(previous_->live.size(), false) {}

std::optional<std::uint32_t> IdTaker::take(const std::string& name) {
    if (const auto found = previous_->live.find(name); found != previous_->live.end()) {
        if (!seen_[found->second.slot]) {
            seen_[found->second.slot] = true;
            ++seen_count_;
        }
        return found->second.id;
    }
    if (const auto found = added_.find(name); found != added_.end()) {
        return found->second;
    }
    prepare();
    const auto id = returned(name) ? returned(name) : fresh();
    if (id) {
        added_.emplace(name, *id);
        used_.insert(*id);
    }
    return id;
}

void IdTaker::prepare() {
    if (ready_) {
        return;
    }
    ready_ = true;
    resting_ = previous_->resting;
    for (const auto& [name, entry] : previous_->live) {
        used_.insert(entry.id);
    }
    for (const auto& [name, id] : resting_) {
        used_.insert(id);
    }
}

std::optional<std::uint32_t> IdTaker::returned(const std::string& name) {
    const auto found = std::find_if(resting_.begin(), resting_.end(), [&](const auto& rest) { return rest.first == name; });
    return found != resting_.end() ? std::optional(found->second) : std::nullopt;
}

std::optional<std::uint32_t> IdTaker::fresh() {
    if (used_.size() >= max_) {
        // Every number is live or rests: the one that rested longest goes to somebody else.
        const auto oldest = std::find_if(resting_.begin(), resting_.end(), [&](const auto& rest) { return !added_.contains(rest.first); });
        if (oldest == resting_.end()) {
            return std::nullopt;
        }
        const std::uint32_t id = oldest->second;
        resting_.erase(oldest);
        return id;
    }
    for (std::uint32_t tried = 0; tried < max_; ++tried) {
        const std::uint32_t id = next_ > max_ ? 1 : next_;
        next_ = id + 1;
        if (!used_.contains(id)) {
            return id;
        }
    }
    return std::nullopt;
}

IdTablePtr IdTaker::finish() && {
    if (added_.empty() && seen_count_ == previous_->live.size()) {
        return previous_;
    }
    prepare();
    auto table = std::make_shared<IdTable>();
    table->next = next_;
    std::vector<std::pair<std::uint32_t, const std::string*>> gone;
    const auto keep = [&](const std::string& name, std::uint32_t id) {
        table->live.emplace(name, IdTable::Entry{id, static_cast<std::uint32_t>(table->live.size())});
    };
    for (const auto& [name, entry] : previous_->live) {
        if (seen_[entry.slot]) {
            keep(name, entry.id);
        } else {
            gone.emplace_back(entry.id, &name);
        }
    }
    for (const auto& [name, id] : added_) {
        keep(name, id);
    }
    for (auto& rest : resting_) {
        if (!added_.contains(rest.first)) {
            table->resting.push_back(std::move(rest));
        }
    }
    std::sort(gone.begin(), gone.end());  // not the hash map's order: the result must not depend on it
    for (const auto& [id, name] : gone) {
        table->resting.emplace_back(*name, id);
    }
    while (table->resting.size() > IdTable::kRestingMax) {
        table->resting.pop_front();
    }
    return table;
}

std::string encode(const Ids& ids) {
    std::string out(kTextHeader);
    out += "\n";
    const auto all = spaces(ids);
    for (std::size_t i = 0; i < all.size(); ++i) {
        if (*all[i]) {
            encode_table(kSpaceNames[i], **all[i], out);
        }
    }
    return out;
}

Result<Ids> decode_ids(std::string_view text) {
    std::array<IdTable, kSpaceNames.size()> tables;
    std::array<std::unordered_set<std::uint32_t>, kSpaceNames.size()> used;
    for (std::size_t number = 1; !text.empty(); ++number) {
        const std::size_t end = std::min(text.find('\n'), text.size());
        const std::string_view row = text.substr(0, end);
        text.remove_prefix(std::min(end + 1, text.size()));
        if (number == 1 && row == kTextHeader) {
            continue;
        }
        const auto line = parse_line(row);
        const auto space = line ? std::find(kSpaceNames.begin(), kSpaceNames.end(), line->space) : kSpaceNames.end();
        if (number == 1 || space == kSpaceNames.end() ||
            !add_line(tables[static_cast<std::size_t>(space - kSpaceNames.begin())], *line,
                      used[static_cast<std::size_t>(space - kSpaceNames.begin())])) {
            return Error{.code = Errc::invalid, .what = "read the kept ids: line " + std::to_string(number) + " is not one"};
        }
    }
    Ids ids;
    const auto all = spaces(ids);
    for (std::size_t i = 0; i < all.size(); ++i) {
        *all[i] = std::make_shared<const IdTable>(std::move(tables[i]));
    }
    return ids;
}

}  // namespace penstock::compile
