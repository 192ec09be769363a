// What a status says.

/** How many records are not signed yet. */
export const waiting = ({ records: { unbatched, open, leased } }) => unbatched + open + leased;
