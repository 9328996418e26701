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
    for (const auto& [name, id] : table.live) {
        live.emplace_back(id, name);
    }
    std::sort(live.begin(), live.end());
    for (const auto& [id, name] : live) {
        line("live", id, name);
    }
    for (const auto& [name, id] : table.resting) {
        line("rest", id, name);
    }
}

constexpr std::string_view kAddresses = "addresses";

// "addresses given 1 Gateway/ns/name 10.0.0.1"; the number is that of the line.
void encode_addresses(const AddressBook& book, std::string& out) {
    std::size_t number = 0;
    for (const auto& [owner, addresses] : book) {
        for (const IpAddress& ip : addresses) {
            out.append(kAddresses).append(" given ").append(std::to_string(++number)).append(" ").append(owner).append(" ").append(ip.text()).append("\n");
        }
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

bool add_line(IdTable& table, const Line& line) {
    if (line.word == "next") {
        table.next = line.id;
        return true;
    }
    if (table.used.contains(line.id)) {
        return false;
    }
    table.used.set(line.id, true);
    if (line.word == "live") {
        const bool fresh = !table.live.contains(line.name);
        table.live.set(std::string(line.name), line.id);
        return fresh;
    }
    table.resting.emplace_back(line.name, line.id);
    return line.word == "rest";
}

bool add_address(AddressBook& book, const Line& line) {
    const std::size_t space = line.name.find(' ');
    const auto ip = space != std::string_view::npos ? IpAddress::parse(line.name.substr(space + 1)) : std::nullopt;
    if (!ip || line.word != "given") {
        return false;
    }
    book[std::string(line.name.substr(0, space))].push_back(*ip);
    return true;
}

}  // namespace

IdTaker::IdTaker(IdTablePtr previous, std::uint32_t max, IdUses uses)
    : previous_(previous ? std::move(previous) : std::make_shared<const IdTable>()),
      max_(max),
      next_(previous_->next),
      uses_(std::move(uses)),
      whole_(uses_.empty()) {}

std::optional<std::uint32_t> IdTaker::take(const std::string& name) {
    const std::uint32_t* uses = uses_.get(name);
    uses_.set(name, uses != nullptr ? *uses + 1 : 1);
    if (const std::uint32_t* id = previous_->live.get(name)) {
        return *id;
    }
    if (const auto found = added_.find(name); found != added_.end()) {
        return found->second;
    }
    prepare();
    const auto id = returned(name) ? returned(name) : fresh();
    if (id) {
        added_.emplace(name, *id);
        used_.set(*id, true);
    }
    return id;
}

void IdTaker::release(const std::string& name) {
    const std::uint32_t* uses = uses_.get(name);
    PST_ASSERT(uses != nullptr);
    if (*uses > 1) {
        uses_.set(name, *uses - 1);
    } else {
        uses_.erase(name);
        idle_.insert(name);
    }
}

void IdTaker::prepare() {
    if (ready_) {
        return;
    }
    ready_ = true;
    resting_ = previous_->resting;
    used_ = previous_->used;
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

// By number.
std::vector<std::pair<std::uint32_t, std::string>> IdTaker::gone() const {
    std::vector<std::pair<std::uint32_t, std::string>> gone;
    const auto look = [&](const std::string& name) {
        const std::uint32_t* id = uses_.contains(name) ? nullptr : previous_->live.get(name);
        if (id != nullptr) {
            gone.emplace_back(*id, name);
        }
    };
    if (whole_) {
        std::for_each(previous_->live.begin(), previous_->live.end(), [&](const auto& entry) { look(entry.first); });
    } else {
        std::for_each(idle_.begin(), idle_.end(), look);
    }
    std::sort(gone.begin(), gone.end());
    return gone;
}

IdTablePtr IdTaker::finish() {
    const auto gone = this->gone();
    std::erase_if(added_, [&](const auto& entry) {
        const bool unused = !uses_.contains(entry.first);
        if (unused && !returned(entry.first)) {
            used_.erase(entry.second);
        }
        return unused;
    });
    if (added_.empty() && gone.empty()) {
        return previous_;
    }
    prepare();
    auto table = std::make_shared<IdTable>();
    table->next = next_;
    table->live = previous_->live;
    for (const auto& [id, name] : gone) {
        table->live.erase(name);
    }
    for (const auto& [name, id] : added_) {
        table->live.set(name, id);
    }
    for (auto& rest : resting_) {
        if (!added_.contains(rest.first)) {
            table->resting.push_back(std::move(rest));
        }
    }
    for (const auto& [id, name] : gone) {
        table->resting.emplace_back(name, id);
    }
    table->used = std::move(used_);
    while (table->resting.size() > IdTable::kRestingMax) {
        table->used.erase(table->resting.front().second);
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
    if (ids.addresses != nullptr) {
        encode_addresses(*ids.addresses, out);
    }
    return out;
}

Result<Ids> decode_ids(std::string_view text) {
    std::array<IdTable, kSpaceNames.size()> tables;
    AddressBook book;
    for (std::size_t number = 1; !text.empty(); ++number) {
        const std::size_t end = std::min(text.find('\n'), text.size());
        const std::string_view row = text.substr(0, end);
        text.remove_prefix(std::min(end + 1, text.size()));
        if (number == 1 && row == kTextHeader) {
            continue;
        }
        const auto line = parse_line(row);
        if (line && number != 1 && line->space == kAddresses && add_address(book, *line)) {
            continue;
        }
        const auto space = line ? std::find(kSpaceNames.begin(), kSpaceNames.end(), line->space) : kSpaceNames.end();
        if (number == 1 || space == kSpaceNames.end() ||
            !add_line(tables[static_cast<std::size_t>(space - kSpaceNames.begin())], *line)) {
            return Error{.code = Errc::invalid, .what = "read the kept ids: line " + std::to_string(number) + " is not one"};
        }
    }
    Ids ids;
    const auto all = spaces(ids);
    for (std::size_t i = 0; i < all.size(); ++i) {
        *all[i] = std::make_shared<const IdTable>(std::move(tables[i]));
    }
    ids.addresses = std::make_shared<const AddressBook>(std::move(book));
    return ids;
}

}  // namespace penstock::compile
