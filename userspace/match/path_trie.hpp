// SPDX-License-Identifier: Apache-2.0
// Paths by their elements: which exact paths and which prefixes (whole elements) a request's path has. A look-up takes a step for each
// element that some path of the table begins with, however long the request's path is, and allocates nothing.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace penstock::match {

template <class Value>
class PathTrie {
public:
    // The value under a path, made if there is none. Paths start with "/"; a prefix has no slash at its end but for "/" itself.
    Value& exact(std::string_view path) { return nodes_[add(path)].exact; }
    Value& prefix(std::string_view path) { return nodes_[path == "/" ? 0 : add(path)].prefix; }

    // Calls `each(value)` for the exact path, then for its prefixes from the longest. Values that nobody asked for are default ones.
    template <class Each>
    void visit(std::string_view path, Each each) const {
        if (!path.starts_with('/')) {
            return;
        }
        std::uint32_t at = 0;
        for (bool last = false; !last;) {
            const std::string_view element = next_element(path, last);
            const std::uint32_t below = find(at, element, hash(at, element));
            if (below == kNone) {
                break;
            }
            at = below;
            if (last) {
                each(nodes_[at].exact);
            }
        }
        for (; at != 0; at = nodes_[at].parent) {
            each(nodes_[at].prefix);
        }
        each(nodes_[0].prefix);
    }

    // Calls `each(value)` for every value.
    template <class Each>
    void for_each(Each each) {
        for (Node& node : nodes_) {
            each(node.exact);
            each(node.prefix);
        }
    }

private:
    static constexpr std::uint32_t kNone = 0;  // the root is below nobody

    struct Node {
        std::uint32_t parent = 0;
        std::uint32_t text = 0, size = 0;  // its element, in text_
        std::size_t hash = 0;
        Value exact = {}, prefix = {};
    };

    // Takes the first element off. "/a/" has two: "a" and "".
    static std::string_view next_element(std::string_view& path, bool& last) {
        path.remove_prefix(1);
        const std::size_t slash = path.find('/');
        last = slash == std::string_view::npos;
        const std::string_view element = path.substr(0, slash);
        path.remove_prefix(element.size());
        return element;
    }
    static std::size_t hash(std::uint32_t parent, std::string_view element) {
        return std::hash<std::string_view>()(element) ^ (parent * 0x9e3779b97f4a7c15U);
    }
    [[nodiscard]] std::uint32_t find(std::uint32_t parent, std::string_view element, std::size_t hash) const {
        for (std::size_t slot = hash & mask();; slot = (slot + 1) & mask()) {
            const std::uint32_t number = slots_[slot];
            if (number == kNone) {
                return kNone;
            }
            const Node& node = nodes_[number];
            if (node.hash == hash && node.parent == parent && std::string_view(text_).substr(node.text, node.size) == element) {
                return number;
            }
        }
    }
    std::uint32_t add(std::string_view path) {
        std::uint32_t at = 0;
        for (bool last = false; !last;) {
            const std::string_view element = next_element(path, last);
            const std::size_t hash_of = hash(at, element);
            std::uint32_t below = find(at, element, hash_of);
            if (below == kNone) {
                below = static_cast<std::uint32_t>(nodes_.size());
                nodes_.push_back({at, static_cast<std::uint32_t>(text_.size()), static_cast<std::uint32_t>(element.size()), hash_of});
                text_ += element;
                place(below);
            }
            at = below;
        }
        return at;
    }
    void place(std::uint32_t number) {
        if (nodes_.size() * 2 > slots_.size()) {
            slots_.assign(slots_.size() * 2, kNone);
            for (std::uint32_t other = 1; other < number; ++other) {
                take_slot(other);
            }
        }
        take_slot(number);
    }
    void take_slot(std::uint32_t number) {
        std::size_t slot = nodes_[number].hash & mask();
        while (slots_[slot] != kNone) {
            slot = (slot + 1) & mask();
        }
        slots_[slot] = number;
    }
    [[nodiscard]] std::size_t mask() const { return slots_.size() - 1; }

    std::vector<Node> nodes_ = std::vector<Node>(1);  // the root first
    std::vector<std::uint32_t> slots_ = std::vector<std::uint32_t>(8, kNone);  // open addressing, at most half full
    std::string text_;
};

}  // namespace penstock::match
