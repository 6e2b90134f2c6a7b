// Who may do what. The API decides; the page only does not offer what the API would refuse.

const ranks = { shop: 0, viewer: 1, operator: 2, admin: 3 };

// may reports whether a role reaches what needs the role least. The shop's role reaches orders alone, which all others read.
export const may = (role, least) => (ranks[role] ?? -1) >= ranks[least];

// mayChangeOrders reports whether a role extends and cancels orders.
export const mayChangeOrders = (role) => role === 'shop' || may(role, 'operator');
