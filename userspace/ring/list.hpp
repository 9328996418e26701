// SPDX-License-Identifier: Apache-2.0
// An intrusive doubly linked list. Owns nothing; a node is in at most one list and may leave it at any time.
#pragma once

namespace penstock::ring {

struct ListNode {
    ListNode* prev = nullptr;
    ListNode* next = nullptr;

    ListNode() = default;
    ListNode(const ListNode&) = delete;
    ListNode& operator=(const ListNode&) = delete;

    [[nodiscard]] bool linked() const { return next != nullptr; }
    void unlink() {
        if (next == nullptr) {
            return;
        }
        prev->next = next;
        next->prev = prev;
        prev = next = nullptr;
    }
};

// T derives from ListNode (or from Tag, which does, if it is in several lists).
template <class T, class Node = ListNode>
class List {
public:
    List() { head_.prev = head_.next = &head_; }
    List(const List&) = delete;
    List& operator=(const List&) = delete;

    [[nodiscard]] bool empty() const { return head_.next == &head_; }
    [[nodiscard]] T& front() { return static_cast<T&>(static_cast<Node&>(*head_.next)); }
    void push_back(T& item) {
        ListNode& node = static_cast<Node&>(item);
        node.prev = head_.prev;
        node.next = &head_;
        head_.prev->next = &node;
        head_.prev = &node;
    }
    T& pop_front() {
        T& item = front();
        head_.next->unlink();
        return item;
    }

    // `what` must not add to or take from this list.
    template <class What>
    void for_each(What what) {
        for (ListNode* node = head_.next; node != &head_; node = node->next) {
            what(static_cast<T&>(static_cast<Node&>(*node)));
        }
    }

private:
    ListNode head_;
};

}  // namespace penstock::ring
