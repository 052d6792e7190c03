/** Milliseconds of a day of UTC. */
export const DAY_MILLIS = 86_400_000;
/** Milliseconds of an hour. */
export const HOUR_MILLIS = 3_600_000;
const DAY = /^\d{4}-\d{2}-\d{2}$/;

/**
 * When a day begins in UTC, in milliseconds since 1970.
 * @param text YYYY-MM-DD
 * @returns undefined for another form, and for days that no calendar has: Date.parse takes 30 February for a day in March
 */
export function calendarDayMillis(text: string): number | undefined {
  const millis = DAY.test(text) ? Date.parse(text) : Number.NaN;
  const isDay = !Number.isNaN(millis) && new Date(millis).toISOString().startsWith(text);
  return isDay ? millis : undefined;
}

/** The day of UTC, YYYY-MM-DD, that a moment is in. @param millis since 1970 */
export function calendarDayAt(millis: number): string {
  return new Date(millis).toISOString().slice(0, 10);
}

/**
 * The day so many days later, or earlier for fewer than none.
 * @param day YYYY-MM-DD, as what is returned
 */
export function shiftedDay(day: string, days: number): string {
  return calendarDayAt(Date.parse(day) + days * DAY_MILLIS);
}
