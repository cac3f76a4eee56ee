/** Returns the absolute ws: or wss: address for opening a socket. Throws a
 *  TypeError if no connection is possible with this address. The error's message
 *  does not contain the address, because there may be a token in it. */
export function socketAddress(text: string): string {
  let url: URL;
  try {
    url = new URL(text, globalThis.document?.baseURI ?? globalThis.location?.href);
  } catch {
    throw new TypeError("the address is not a URL; outside a page it must be absolute");
  }
  url.protocol = url.protocol.replace("http", "ws");
  if (!/^wss?:$/.test(url.protocol)) throw new TypeError("the address must begin with wss:// or ws://");
  if (text.includes("#")) throw new TypeError("the address must have no #fragment");
  if (url.searchParams.has("token")) throw new TypeError("the address must have no token: getToken returns it");
  return url.href;
}
