/** The address that a socket is opened with: absolute, ws or wss. Throws a
 *  TypeError where no connection can ever come of it. Its messages do not repeat
 *  the address: there may be a token in it. */
export function socketAddress(text: string): string {
  let url: URL;
  try {
    url = new URL(text, globalThis.document?.baseURI ?? globalThis.location?.href);
  } catch {
    throw new TypeError("the address is not a URL; outside of a page it must be absolute");
  }
  url.protocol = url.protocol.replace("http", "ws");
  if (!/^wss?:$/.test(url.protocol)) throw new TypeError("the address must begin with wss:// or ws://");
  if (text.includes("#")) throw new TypeError("the address must have no #fragment");
  if (url.searchParams.has("token")) throw new TypeError("the address must have no token: getToken returns it");
  return url.href;
}
