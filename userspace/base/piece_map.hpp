// SPDX-License-Identifier: Apache-2.0
// A sorted map in pieces that copies share: a copy costs a pointer per piece, a write copies one piece, and two maps of common descent are
// compared by pointers. For tables of thousands of entries of which an edit touches a few.
// Where pieces end is decided by the keys alone (about one key in 64 begins a piece), never by the history: equal maps have equal pieces,
// so what is made of a piece can be named by its content.
// A map may be read by several threads while none writes it; copies may be written apart from each other.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <iterator>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "userspace/base/sole_owner.hpp"

namespace penstock {

// FNV-1a with a mixer at the end: the same on every machine and in every version.
inline std::uint64_t piece_hash(std::string_view text, std::uint64_t seed = 0xcbf29ce484222325U) {
    for (const char c : text) {
        seed = (seed ^ static_cast<unsigned char>(c)) * 0x100000001b3U;
    }
    return seed;
}

struct PieceHash {
    std::uint64_t operator()(std::string_view text) const { return piece_hash(text); }
};

// `Hash` gives 64 bits of a key.
template <class Key, class Value, class Less = std::less<>, class Hash = PieceHash>
class PieceMap {
public:
    using value_type = std::pair<Key, Value>;
    using Piece = std::vector<value_type>;  // never empty, sorted
    using PiecePtr = std::shared_ptr<const Piece>;

    class const_iterator {
    public:
        using iterator_category = std::forward_iterator_tag;
        using value_type = PieceMap::value_type;
        using difference_type = std::ptrdiff_t;
        using pointer = const value_type*;
        using reference = const value_type&;

        const_iterator() = default;
        reference operator*() const { return (*(*pieces_)[piece_])[at_]; }
        pointer operator->() const { return &**this; }
        const_iterator& operator++() {
            if (++at_ == (*pieces_)[piece_]->size()) {
                skip_piece();
            }
            return *this;
        }
        const_iterator operator++(int) {
            const_iterator before = *this;
            ++*this;
            return before;
        }
        bool operator==(const const_iterator& other) const { return piece_ == other.piece_ && at_ == other.at_; }

    private:
        friend class PieceMap;
        using Pieces = std::vector<std::shared_ptr<Piece>>;
        const_iterator(const Pieces* pieces, std::size_t piece, std::size_t at) : pieces_(pieces), piece_(piece), at_(at) {}
        void skip_piece() {
            ++piece_;
            at_ = 0;
        }
        [[nodiscard]] bool done() const { return piece_ == pieces_->size(); }
        // At the first entry of a piece that both have, which is the same object.
        [[nodiscard]] bool shares(const const_iterator& other) const {
            return at_ == 0 && other.at_ == 0 && (*pieces_)[piece_] == (*other.pieces_)[other.piece_];
        }

        const Pieces* pieces_ = nullptr;
        std::size_t piece_ = 0;
        std::size_t at_ = 0;
    };

    [[nodiscard]] const_iterator begin() const { return {&pieces_, 0, 0}; }
    [[nodiscard]] const_iterator end() const { return {&pieces_, pieces_.size(), 0}; }
    [[nodiscard]] std::size_t size() const { return size_; }
    [[nodiscard]] bool empty() const { return size_ == 0; }

    // The first entry whose key is not less.
    template <class Like>
    [[nodiscard]] const_iterator lower_bound(const Like& key) const {
        if (pieces_.empty()) {
            return end();
        }
        const std::size_t piece = piece_of(key);
        const std::size_t at = place_in(*pieces_[piece], key);
        return at < pieces_[piece]->size() ? const_iterator(&pieces_, piece, at) : const_iterator(&pieces_, piece + 1, 0);
    }
    template <class Like>
    [[nodiscard]] const_iterator find(const Like& key) const {
        const const_iterator found = lower_bound(key);
        return found != end() && !Less()(key, found->first) ? found : end();
    }
    // Null if there is none.
    template <class Like>
    [[nodiscard]] const Value* get(const Like& key) const {
        const const_iterator found = find(key);
        return found != end() ? &found->second : nullptr;
    }
    template <class Like>
    [[nodiscard]] bool contains(const Like& key) const {
        return find(key) != end();
    }

    // The pieces in order. A piece that is the same object has the same content.
    [[nodiscard]] std::size_t pieces() const { return pieces_.size(); }
    [[nodiscard]] PiecePtr piece(std::size_t index) const { return pieces_[index]; }

    // Puts the value in place of the one of its key.
    void set(Key key, Value value) {
        if (pieces_.empty()) {
            pieces_.push_back(std::make_shared<Piece>());
        }
        const std::size_t index = piece_of(key);
        Piece& piece = own(index);
        const std::size_t at = place_in(piece, key);
        if (at < piece.size() && !Less()(key, piece[at].first)) {
            piece[at].second = std::move(value);
            return;
        }
        const bool cuts = begins_piece(key);
        if (piece.size() == piece.capacity()) {
            piece.reserve(piece.size() + kRoom);  // doubled, a third of all pieces' memory would stay empty
        }
        piece.emplace(piece.begin() + static_cast<std::ptrdiff_t>(at), std::move(key), std::move(value));
        ++size_;
        if (at == 0 ? piece.size() > 1 && begins_piece(piece[1].first) : cuts) {  // at 0: before the first key of all
            cut(index, std::max<std::size_t>(at, 1));
        }
    }

    // Whether it was there.
    template <class Like>
    bool erase(const Like& key) {
        const const_iterator found = find(key);
        if (found == end()) {
            return false;
        }
        const std::size_t index = found.piece_;
        Piece& piece = own(index);
        piece.erase(piece.begin() + static_cast<std::ptrdiff_t>(found.at_));
        --size_;
        if (found.at_ == 0) {
            join(index);
        }
        return true;
    }

    bool operator==(const PieceMap& other) const {
        return size_ == other.size_ && !differs(*this, other);
    }

    // Calls `visit(before, after)` in the order of the keys for each entry that only one has (the other is null) or whose values differ.
    template <class Visit>
    static void diff(const PieceMap& old, const PieceMap& now, const Visit& visit) {
        walk(old, now, [&](const value_type* before, const value_type* after) {
            visit(before, after);
            return true;
        });
    }

private:
    static constexpr std::size_t kRoom = 8;

    static bool begins_piece(const Key& key) {
        std::uint64_t hash = Hash()(key);
        hash ^= hash >> 32;
        hash *= 0x9e3779b97f4a7c15U;
        return hash >> 58 == 0;
    }

    // The piece that has the key, or would.
    template <class Like>
    std::size_t piece_of(const Like& key) const {
        const auto after = std::upper_bound(pieces_.begin(), pieces_.end(), key,
                                            [](const Like& wanted, const auto& piece) { return !piece->empty() && Less()(wanted, piece->front().first); });
        return after == pieces_.begin() ? 0 : static_cast<std::size_t>(after - pieces_.begin()) - 1;
    }
    template <class Like>
    static std::size_t place_in(const Piece& piece, const Like& key) {
        const auto place = std::lower_bound(piece.begin(), piece.end(), key, [](const value_type& entry, const Like& wanted) { return Less()(entry.first, wanted); });
        return static_cast<std::size_t>(place - piece.begin());
    }

    Piece& own(std::size_t index) {
        if (!is_sole_owner(pieces_[index])) {
            pieces_[index] = std::make_shared<Piece>(*pieces_[index]);
        }
        return *pieces_[index];
    }

    void cut(std::size_t index, std::size_t at) {
        Piece& piece = *pieces_[index];
        const auto from = piece.begin() + static_cast<std::ptrdiff_t>(at);
        auto rest = std::make_shared<Piece>(std::make_move_iterator(from), std::make_move_iterator(piece.end()));
        piece.erase(from, piece.end());
        pieces_.insert(pieces_.begin() + static_cast<std::ptrdiff_t>(index) + 1, std::move(rest));
    }

    // The piece has lost its first key, which began it: the rest belongs to the piece before.
    void join(std::size_t index) {
        const Piece& piece = *pieces_[index];
        if (!piece.empty() && index == 0) {
            return;
        }
        if (!piece.empty()) {
            Piece& before = own(index - 1);
            before.insert(before.end(), piece.begin(), piece.end());
        }
        pieces_.erase(pieces_.begin() + static_cast<std::ptrdiff_t>(index));
    }

    static bool differs(const PieceMap& one, const PieceMap& other) {
        bool same = true;
        walk(one, other, [&](const value_type*, const value_type*) { return same = false; });
        return !same;
    }

    // As diff(), until `visit` returns false.
    template <class Visit>
    static void walk(const PieceMap& old, const PieceMap& now, const Visit& visit) {
        const_iterator before = old.begin();
        const_iterator after = now.begin();
        bool go_on = true;
        while (go_on && !(before.done() && after.done())) {
            if (!before.done() && !after.done() && before.shares(after)) {
                before.skip_piece();
                after.skip_piece();
            } else if (after.done() || (!before.done() && Less()(before->first, after->first))) {
                go_on = visit(&*before, nullptr);
                ++before;
            } else if (before.done() || Less()(after->first, before->first)) {
                go_on = visit(nullptr, &*after);
                ++after;
            } else {
                go_on = before->second == after->second || visit(&*before, &*after);
                ++before;
                ++after;
            }
        }
    }

    std::vector<std::shared_ptr<Piece>> pieces_;
    std::size_t size_ = 0;
};

}  // namespace penstock
