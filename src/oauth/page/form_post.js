// Sends the form of this page by itself; without JavaScript there is a button.
"use strict";

document.getElementById("form-post").submit();
